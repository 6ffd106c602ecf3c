"""The comparator of the tiles group: titiler as its documentation sets it up; `url` names the file."""

from fastapi import FastAPI
from titiler.core.errors import DEFAULT_STATUS_CODES, add_exception_handlers
from titiler.core.factory import TilerFactory

app = FastAPI()
app.include_router(TilerFactory().router)
add_exception_handlers(app, DEFAULT_STATUS_CODES)


@app.get("/ready")
def ready() -> dict[str, bool]:
    """Answers once it has started."""
    return {"ready": True}
