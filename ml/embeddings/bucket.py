"""Files in an S3 bucket, with a local folder in front that keeps what was used last."""

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ml.embeddings.folder import Folder
from ml.embeddings.keys import StoreUnreachableError
from ml.embeddings.room import Room

if TYPE_CHECKING:
    from obstore.store import S3Store

log = logging.getLogger(__name__)

CONNECT_SECONDS, ANSWER_SECONDS, RETRIES, RETRY_SECONDS = 3, 10, 1, 10
REST_SECONDS = 5.0  # after a failure nobody asks for a while: a click must not wait for what has just failed
UNREACHABLE = (
    "The object store that keeps the embeddings does not answer or refuses. Nothing is lost: try again in a minute; "
    "if it stays, ask your administrator to look at EDGEWISE_EMBEDDINGS and at the store's credentials."
)


class Bucket:
    """`s3://bucket/prefix`; endpoint and credentials come from the usual AWS_… variables.

    The bucket is the truth. What is read or written is kept in the folder too, within its room.
    Every method raises `StoreUnreachableError` where the bucket does not answer in some seconds.
    """

    def __init__(self, url: str, front: Folder, room: Room | None = None) -> None:
        self.url, self.front = url, front
        self._room = room
        self._objects = _opened(url)
        self._rest_until = 0.0

    def write(self, path: Path, content: bytes) -> None:
        """Writes to the bucket, then to the folder in front."""
        with self._asking(missing_is_failure=True):
            self._objects.put(path.as_posix(), content)
        self._keep(path, content)

    @contextlib.contextmanager
    def opened(self, path: Path, most: int) -> Iterator[memoryview]:
        """A file's content, from the folder in front where it is there. Raises `FileNotFoundError`."""
        if self.front.size(path) is not None:
            with contextlib.suppress(FileNotFoundError):  # it went just now
                with self.front.opened(path, most) as content:
                    yield content
                return
        yield memoryview(self._fetched(path, most))

    def use(self, path: Path) -> None:
        """Notes that a file is used, for the folder in front."""
        self.front.use(path)

    def size(self, path: Path) -> int | None:
        """A file's bytes in the bucket; None where there is none."""
        try:
            with self._asking():
                return int(self._objects.head(path.as_posix())["size"])
        except FileNotFoundError:
            return None

    def delete(self, path: Path) -> None:
        """Removes a file here and there; harmless when it is not there."""
        self.front.delete(path)
        with contextlib.suppress(FileNotFoundError), self._asking():
            self._objects.delete(path.as_posix())

    def delete_below(self, path: Path) -> None:
        """Removes all files below a path, here and there."""
        self.front.delete_below(path)
        with self._asking():
            for listed in self._objects.list(f"{path.as_posix()}/"):
                self._objects.delete([one["path"] for one in listed])

    def refetch(self, path: Path) -> bool:
        """Drops a copy in front that is damaged; whether there was one, so that the bucket's own can be tried."""
        there = self.front.size(path) is not None
        self.front.delete(path)
        return there

    def _fetched(self, path: Path, most: int) -> bytes:
        with self._asking():
            answer = self._objects.get(path.as_posix())
            if int(answer.meta["size"]) > most:
                return bytes(most + 1)  # nothing of ours is as large; none of it is fetched
            content = bytes(answer.bytes())
        self._keep(path, content)
        return content

    def _keep(self, path: Path, content: bytes) -> None:
        """Puts a copy in front; a full disk there is no reason not to go on."""
        try:
            self.front.write(path, content)
        except OSError:
            log.warning("%s could not be kept in %s", path, self.front.root, exc_info=True)
            return
        if self._room is not None and self._room.wrote(len(content)):
            for entry in self._room.to_go():
                self._room.let_go(entry)

    @contextlib.contextmanager
    def _asking(self, *, missing_is_failure: bool = False) -> Iterator[None]:
        from obstore.exceptions import BaseError

        if time.monotonic() < self._rest_until:
            raise StoreUnreachableError(UNREACHABLE)
        try:
            yield
        except FileNotFoundError as error:
            if not missing_is_failure:
                raise
            raise self._failed(error) from error
        except (BaseError, OSError, ValueError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StoreUnreachableError:
        log.error("The object store %s failed: %s", self.url, error)
        self._rest_until = time.monotonic() + REST_SECONDS
        return StoreUnreachableError(UNREACHABLE)


def _opened(url: str) -> "S3Store":
    """The library's client, every request bounded in time. Raises `StoreUnreachableError` for settings it refuses."""
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    endpoint = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""
    try:
        return S3Store.from_url(
            url,
            client_options={
                "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
                "timeout": timedelta(seconds=ANSWER_SECONDS),
                "allow_http": urlsplit(endpoint).scheme == "http",
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
        )
    except (BaseError, ValueError) as error:
        log.error("The object store %s cannot be opened: %s", url, error)
        raise StoreUnreachableError(UNREACHABLE) from error
