"""Fetches one published file: resumed, bounded, checked by its SHA-256, and from no other host than the one named."""

import errno
import hashlib
import http.client
import ipaddress
import json
import os
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ml.models.installed import ModelError
from ml.models.registry import Published

TIMEOUT_S = 30
ATTEMPTS = 4  # in a row without a byte of progress
OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG}
CHUNK = 1 << 20
MOST_BYTES = 4_000_000_000  # of a file whose size is not published
SPARE_BYTES = 200_000_000

Tell = Callable[[int, int | None], None]


class Refused(ModelError):
    """What is not downloaded, whoever asks."""


class _Broken(Exception):
    """The connection ended early; what has come is kept."""


@dataclass(frozen=True)
class Wanted:
    """A file to fetch: its address, and size and SHA-256 where they are published."""

    address: str
    bytes: int | None
    sha256: str | None

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc


def wanted(model: Published, mirror: str = "") -> Wanted:
    """The published file, at its makers' address or below an administrator's mirror."""
    address = f"{mirror.rstrip('/')}/{model.file_name}" if mirror else model.address
    check_address(address)
    return Wanted(address, model.bytes, model.sha256)


def check_address(address: str) -> None:
    """Only https, or http to this very machine. Raises `Refused`."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if not host or parts.username or parts.password:
        raise Refused(f"{address!r} is not an address to download from. Give https://host/path, without a password.")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(host)):
        raise Refused(f"{address!r} is not https. What comes over plain http could be anybody's. Give an https mirror.")


def fetch(
    file: Wanted,
    path: Path,
    *,
    tell: Tell = lambda _done, _total: None,
    wait: Callable[[float], None] = time.sleep,
    offline: bool = False,
) -> None:
    """Downloads a file to `path`; an earlier try that was cut off is gone on with.

    Until it is whole and checked it is `path` with `.part` behind it. `tell` hears bytes done and in all.
    Raises `ModelError`; after a wrong checksum nothing is kept.
    """
    ensure_allowed(file, offline=offline)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    if file.bytes is not None:
        ensure_room(path.parent, file.bytes - _size(part))
    _persist(file, part, tell, wait)
    _check(file, part)
    part.replace(path)
    _note_of(part).unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """Where a file lies until it is whole."""
    return path.with_name(path.name + ".part")


def ensure_allowed(file: Wanted, *, offline: bool) -> None:
    """Raises `Refused` where nothing may be downloaded, or not from there."""
    if offline:
        raise Refused(_by_hand(file, "EDGEWISE_OFFLINE is set, so that nothing is downloaded."))
    check_address(file.address)


def ensure_room(folder: Path, needed: int) -> None:
    """Raises `ModelError` where the disk has not that many bytes left, and some to spare."""
    free = shutil.disk_usage(folder).free
    if needed + SPARE_BYTES > free:
        raise ModelError(
            f"{(needed + SPARE_BYTES) / 1e9:.1f} GB are needed in {folder} and {free / 1e9:.1f} GB are free. "
            "Make room, or name another folder with --into."
        )


def _persist(file: Wanted, part: Path, tell: Tell, wait: Callable[[float], None]) -> None:
    """Asks until the file is whole; gives up after some tries in a row that bring nothing."""
    idle = 0
    while True:
        before = _size(part)
        try:
            return _go_on(file, part, tell)
        except _Broken as error:
            idle = 1 if _size(part) > before else idle + 1
            if idle >= ATTEMPTS:
                got = f"{_size(part) / 1e6:.0f} MB have come and are kept" if _size(part) else "Nothing has come"
                raise ModelError(_by_hand(file, f"{file.host} cannot be reached. {got}; run this again.")) from error
        wait(2 ** (idle - 1))


def _go_on(file: Wanted, part: Path, tell: Tell) -> None:
    """One request for what is still missing. Raises `_Broken` when it ends early, `ModelError` when it is in vain."""
    have = _size(part)
    if file.bytes is not None and have >= file.bytes:
        return
    note = _read_note(part)
    validator = note.get("validator") if note.get("address") == file.address else None
    if have and not validator and file.sha256 is None:
        have = 0  # nothing would tell whether both halves are of one file
    request = urllib.request.Request(file.address, headers={"Accept-Encoding": "identity"})  # noqa: S310 (checked)
    if have:
        request.add_header("Range", f"bytes={have}-")
        if validator:
            request.add_header("If-Range", validator)
    try:
        with _opener(file).open(request, timeout=TIMEOUT_S) as answer:
            _take(file, part, answer, have, tell)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            part.unlink(missing_ok=True)
            raise _Broken from error
        if error.code >= 500 or error.code == http.HTTPStatus.TOO_MANY_REQUESTS:
            raise _Broken from error
        raise ModelError(_by_hand(file, f"{file.host} answers {error.code} ({error.reason}).")) from error
    except (OSError, http.client.HTTPException) as error:  # no route, no name, cut off, TLS
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise Refused(f"{file.host} does not prove who it is: {reason.verify_message}. Nothing came.") from error
        if isinstance(error, OSError) and error.errno in OF_THE_DISK:
            raise ModelError(f"{part} cannot be written: {error.strerror}. Mend that and run this again.") from error
        raise _Broken from error


def _take(file: Wanted, part: Path, answer: Any, have: int, tell: Tell) -> None:
    if answer.status == http.HTTPStatus.PARTIAL_CONTENT:
        start, total = _content_range(answer.headers.get("Content-Range", ""))
        if start != have:
            part.unlink(missing_ok=True)
            raise _Broken
    else:
        have, total = 0, _number(answer.headers.get("Content-Length"))
    if file.bytes is not None and total is not None and total != file.bytes:
        part.unlink(missing_ok=True)
        raise ModelError(
            f"{file.host} offers a file of {total} bytes; the published one has {file.bytes}. Nothing was kept. "
            "Mend the mirror, or download from the makers."
        )
    total = total if file.bytes is None else file.bytes
    most = MOST_BYTES if total is None else total
    _write_note(part, file.address, answer.headers.get("ETag") or answer.headers.get("Last-Modified"))
    done = have
    with part.open("ab" if have else "wb") as out:
        while chunk := answer.read(CHUNK):
            done += len(chunk)
            if done > most:
                out.close()
                part.unlink(missing_ok=True)
                raise ModelError(f"{file.host} sends more than the {most} bytes of the file. Nothing was kept.")
            out.write(chunk)
            tell(done, total)
        out.flush()
        os.fsync(out.fileno())
    if total is not None and done < total:
        raise _Broken


def _check(file: Wanted, part: Path) -> None:
    if file.sha256 is None:
        return
    with part.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != file.sha256:
        part.unlink()
        _note_of(part).unlink(missing_ok=True)
        raise ModelError(
            f"What {file.host} sent is not the published file (its SHA-256 is {found[:16]}…, not "
            f"{file.sha256[:16]}…). It was thrown away. Try again; if it comes again, do not trust that host."
        )


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to the host that was named, by the same protocol."""

    max_redirections = 3

    def __init__(self, allowed: SplitResult) -> None:
        self.allowed = allowed

    def redirect_request(  # noqa: PLR0917 (the library's)
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        to = urlsplit(newurl)
        if (to.scheme, to.netloc) != (self.allowed.scheme, self.allowed.netloc):
            raise Refused(
                f"{self.allowed.netloc} sends on to {to.scheme}://{to.netloc}, which was not asked for. Nothing was "
                "downloaded. Name a mirror that has the file itself."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(file: Wanted) -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_SameHost(urlsplit(file.address)))


def _by_hand(file: Wanted, why: str) -> str:
    name = Path(urlsplit(file.address).path).name
    return (
        f"{why} On a machine with a network, download {file.address}, bring the file here, and run: "
        f"python -m ml models install {Path(name).stem} --checkpoint {name}. Or put it into the folder `checkpoints` "
        "of the data folder, and install it from there on the page of models."
    )


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _content_range(text: str) -> tuple[int | None, int | None]:
    """First byte and whole size out of `bytes 100-199/200`."""
    span, _, whole = text.removeprefix("bytes ").partition("/")
    return _number(span.partition("-")[0]), _number(whole)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _note_of(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_note(part: Path) -> dict[str, Any]:
    try:
        said = json.loads(_note_of(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _write_note(part: Path, address: str, validator: str | None) -> None:
    strong = validator if validator and not validator.startswith("W/") else None
    _note_of(part).write_text(json.dumps({"address": address, "validator": strong}), encoding="utf-8")
