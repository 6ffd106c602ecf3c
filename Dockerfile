# The image of web server and worker. RUNTIME=gpu adds torch with CUDA and sam2, for workers that encode on NVIDIA cards;
# RUNTIME=onnx-gpu puts ONNX Runtime for such cards in instead, for models that are installed without their weights.

FROM node:22-bookworm-slim AS browser
WORKDIR /src/frontend
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc ./
RUN npm ci --include=dev --no-audit --no-fund
COPY frontend/ ./
RUN npm run build

FROM python:3.11-slim-bookworm AS packages
ARG RUNTIME=cpu
COPY requirements/run.txt requirements/torch.txt requirements/sam2.txt /tmp/
RUN python -m venv /opt/edgewise \
    && /opt/edgewise/bin/pip install --no-cache-dir --requirement /tmp/run.txt
RUN if [ "$RUNTIME" = gpu ]; then \
        /opt/edgewise/bin/pip install --no-cache-dir --requirement /tmp/torch.txt \
        && SAM2_BUILD_CUDA=0 /opt/edgewise/bin/pip install --no-cache-dir --no-build-isolation --no-deps \
            --requirement /tmp/sam2.txt; \
    elif [ "$RUNTIME" = onnx-gpu ]; then \
        version="$(/opt/edgewise/bin/python -c 'import onnxruntime; print(onnxruntime.__version__)')" \
        && /opt/edgewise/bin/pip uninstall --yes onnxruntime \
        && /opt/edgewise/bin/pip install --no-cache-dir "onnxruntime-gpu[cuda,cudnn]==$version"; \
    fi

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home edgewise && install -d -o edgewise -g edgewise /data
COPY --from=packages /opt/edgewise /opt/edgewise
WORKDIR /app
COPY manage.py pyproject.toml LICENSE ./
COPY backend backend
COPY ml ml
COPY fixtures fixtures
COPY --from=browser /src/frontend/dist frontend/dist
ENV PATH=/opt/edgewise/bin:$PATH PYTHONUNBUFFERED=1 EDGEWISE_MODE=production EDGEWISE_DATA_DIR=/data
USER edgewise
VOLUME /data
EXPOSE 8000
CMD ["uvicorn", "backend.config.asgi:application", "--host", "0.0.0.0", "--port", "8000", \
     "--loop", "uvloop", "--http", "backend.config.wire:BoundedHttp", "--ws", "backend.config.wire:BoundedSocket", \
     "--lifespan", "off", "--no-access-log", "--no-server-header", \
     "--ws-per-message-deflate", "false", "--ws-max-size", "131072", "--timeout-graceful-shutdown", "5"]
