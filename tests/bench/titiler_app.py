"""The comparator of the tiles group: titiler as its documentation sets it up, for one file."""

import os

from fastapi import FastAPI
from titiler.core.errors import DEFAULT_STATUS_CODES, add_exception_handlers
from titiler.core.factory import TilerFactory

PATH = os.environ["BENCH_COG"]

app = FastAPI()
app.include_router(TilerFactory(path_dependency=lambda: PATH).router)
add_exception_handlers(app, DEFAULT_STATUS_CODES)
