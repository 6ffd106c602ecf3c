"""Reads JSON bodies within bounds: so many bytes, so many levels; what is beyond is refused, not a crash."""

import io
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from backend.core.errors import TooLarge

MAX_BYTES = 8 * 1024 * 1024  # several times the largest annotation


class BoundedJSON(JSONParser):
    """JSON of at most `MAX_BYTES`, nested no deeper than Python's reader follows."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The body. Raises `request.too_large` and `request.malformed`."""
        body = stream.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise TooLarge(f"The body is larger than {MAX_BYTES // 1024**2} MB. Send less at once.")
        try:
            return super().parse(io.BytesIO(body), media_type, parser_context)
        except RecursionError as error:
            raise ParseError("nested too deeply") from error
