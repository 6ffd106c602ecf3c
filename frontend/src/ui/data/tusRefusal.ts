/** The server's own words out of a failed upload request. */
import { DetailedError } from "tus-js-client";
import { i18n } from "../../i18n";
import { ApiError } from "../../net/http";

export function tusRefusal(error: unknown): ApiError {
  if (!(error instanceof DetailedError)) {
    return new ApiError("upload.failed", error instanceof Error ? error.message : i18n.t("error.unknown"), 0);
  }
  const response = error.originalResponse;
  if (response === null) return new ApiError("net.unreachable", i18n.t("upload.unreachable"), 0);
  const status = response.getStatus();
  try {
    const body: unknown = JSON.parse(response.getBody());
    if (typeof body === "object" && body !== null && "error" in body) {
      const { code, message } = body.error as { code?: unknown; message?: unknown };
      if (typeof code === "string" && typeof message === "string") return new ApiError(code, message, status);
    }
  } catch {
    // Not JSON: fall through to the general words.
  }
  return new ApiError("upload.failed", i18n.t("upload.failed", { status }), status);
}
