"""A download goes on where it stopped, keeps only what is genuine, and asks no other host."""

import hashlib
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ml.models import ModelError
from ml.models.download import ATTEMPTS, Refused, Wanted, check_address, fetch, wanted
from ml.models.registry import PUBLISHED, published
from tests.support.file_server import Served, serving

CONTENT = bytes(range(256)) * 20_000  # 5 MB, more than one piece of reading
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("no_proxy", "*")
    with serving(Served(CONTENT)) as one:
        yield one


def file_of(served: Served, **changes: Any) -> Wanted:
    return Wanted(**{"address": f"{served.address}/m.pt", "bytes": len(CONTENT), "sha256": SHA256, **changes})


def get(file: Wanted, path: Path, **more: Any) -> list[tuple[int, int | None]]:
    heard: list[tuple[int, int | None]] = []
    fetch(file, path, tell=lambda done, total: heard.append((done, total)), wait=lambda _: None, **more)
    return heard


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_nothing_else_is_left(served: Served, tmp_path: Path) -> None:
    heard = get(file_of(served), tmp_path / "m.pt")

    assert (tmp_path / "m.pt").read_bytes() == CONTENT
    assert left_in(tmp_path) == ["m.pt"]
    assert [done for done, _ in heard] == sorted({done for done, _ in heard})
    assert heard[-1] == (len(CONTENT), len(CONTENT))


def test_a_connection_that_breaks_is_taken_up_where_it_broke(served: Served, tmp_path: Path) -> None:
    served.cut_after = [1_500_000, 700_000]

    get(file_of(served), tmp_path / "m.pt")

    assert (tmp_path / "m.pt").read_bytes() == CONTENT
    assert [one.get("range") for one in served.asked] == [None, "bytes=1500000-", "bytes=2200000-"]
    assert served.asked[1]["if-range"] == '"one"'


def test_a_later_run_goes_on_with_what_an_earlier_one_left(served: Served, tmp_path: Path) -> None:
    served.cut_after = [2_000_000] + [0] * ATTEMPTS
    with pytest.raises(ModelError, match=r"2 MB have come and are kept; run this again"):
        get(file_of(served), tmp_path / "m.pt")
    assert not (tmp_path / "m.pt").exists()
    served.cut_after.clear()

    heard = get(file_of(served), tmp_path / "m.pt")

    assert served.asked[-1]["range"] == "bytes=2000000-"
    assert heard[0][0] > 2_000_000
    assert (tmp_path / "m.pt").read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_begun_anew(served: Served, tmp_path: Path) -> None:
    other = CONTENT[::-1]
    served.content = other
    served.cut_after = [1_000_000] + [0] * ATTEMPTS
    file = file_of(served, sha256=hashlib.sha256(CONTENT).hexdigest())
    with pytest.raises(ModelError):
        get(file, tmp_path / "m.pt")
    served.cut_after.clear()
    served.content, served.etag = CONTENT, '"two"'

    get(file, tmp_path / "m.pt")

    assert (tmp_path / "m.pt").read_bytes() == CONTENT


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_a_server_without_ranges_is_begun_anew(served: Served, tmp_path: Path, sha256: str | None) -> None:
    served.ranges, served.cut_after = False, [1_000_000]

    get(file_of(served, sha256=sha256), tmp_path / "m.pt")

    assert (tmp_path / "m.pt").read_bytes() == CONTENT


def test_without_checksum_and_validator_two_halves_are_never_put_together(served: Served, tmp_path: Path) -> None:
    served.etag, served.cut_after = None, [1_000_000]

    get(file_of(served, sha256=None), tmp_path / "m.pt")

    assert [one.get("range") for one in served.asked] == [None, None]
    assert (tmp_path / "m.pt").read_bytes() == CONTENT


def test_what_is_not_the_published_file_is_thrown_away(served: Served, tmp_path: Path) -> None:
    served.content = CONTENT[:-1] + b"\x00"

    with pytest.raises(ModelError, match="not the published file"):
        get(file_of(served), tmp_path / "m.pt")

    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"content": CONTENT + b"x"}, r"offers a file of 5120001 bytes; the published one has 5120000"),
        ({"content": CONTENT[:-1]}, r"offers a file of 5119999 bytes"),
    ],
)
def test_a_file_of_another_size_is_refused_before_it_comes(
    served: Served, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    for name, value in changes.items():
        setattr(served, name, value)

    with pytest.raises(ModelError, match=message):
        get(file_of(served), tmp_path / "m.pt")

    assert left_in(tmp_path) == []


def test_a_stream_without_end_is_cut_off(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.models.download.MOST_BYTES", 2_000_000)
    monkeypatch.setattr("ml.models.download._number", lambda _: None)  # a server that says no length

    with pytest.raises(ModelError, match="sends more than the 2000000 bytes"):
        get(file_of(served, bytes=None, sha256=None), tmp_path / "m.pt")

    assert not list(tmp_path.glob("*.pt*.part"))


@pytest.mark.parametrize("status", [404, 403, 410])
def test_a_file_that_is_not_there_is_said_at_once_and_with_the_way_by_hand(
    served: Served, tmp_path: Path, status: int
) -> None:
    served.statuses = [status]

    with pytest.raises(ModelError, match=rf"answers {status}.*models install m --checkpoint m\.pt"):
        get(file_of(served), tmp_path / "m.pt")

    assert len(served.asked) == 1
    assert left_in(tmp_path) == []


def test_a_server_that_is_busy_is_asked_again(served: Served, tmp_path: Path) -> None:
    served.statuses = [503, 429]

    get(file_of(served), tmp_path / "m.pt")

    assert len(served.asked) == 3
    assert (tmp_path / "m.pt").read_bytes() == CONTENT


def test_a_redirect_to_another_host_is_not_followed(served: Served, tmp_path: Path) -> None:
    with serving(Served(CONTENT)) as other:
        served.redirect = f"{other.address}/moved"
        with pytest.raises(Refused, match="sends on to"):
            get(file_of(served), tmp_path / "m.pt")
        assert other.asked == []

    assert left_in(tmp_path) == []


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://169.254.169.254/latest"])
def test_a_redirect_to_what_is_no_web_page_of_the_host_is_not_followed(
    served: Served, tmp_path: Path, target: str
) -> None:
    served.redirect = target

    with pytest.raises(ModelError, match=r"was not asked for|is not allowed"):
        get(file_of(served), tmp_path / "m.pt")

    assert left_in(tmp_path) == []


def test_a_redirect_within_the_host_is_followed(served: Served, tmp_path: Path) -> None:
    served.redirect = "/moved/m.pt"

    get(file_of(served), tmp_path / "m.pt")

    assert [one["path"] for one in served.asked] == ["/m.pt", "/moved/m.pt"]


@pytest.mark.parametrize(
    "address",
    [
        "http://dl.example.org/m.pt",
        "http://10.0.0.1/m.pt",
        "http://127.0.0.1.example.org/m.pt",
        "ftp://example.org/m.pt",
        "file:///etc/passwd",
        "https://user:secret@example.org/m.pt",
        "https:///m.pt",
        "m.pt",
        "",
        "https://[::1/m.pt",
    ],
)
def test_only_https_or_this_machine_is_downloaded_from(tmp_path: Path, address: str) -> None:
    with pytest.raises(Refused):
        fetch(Wanted(address, 1, None), tmp_path / "m.pt")

    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    "address", ["https://a.example/m.pt", "http://127.0.0.1:8/m", "http://[::1]/m", "http://localhost/m"]
)
def test_https_and_this_machine_are_allowed(address: str) -> None:
    check_address(address)


def test_offline_is_refused_without_a_request_and_with_the_way_by_hand(served: Served, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"EDGEWISE_OFFLINE.*--checkpoint m\.pt"):
        get(file_of(served), tmp_path / "m.pt", offline=True)

    assert served.asked == []


def test_a_host_that_cannot_be_reached_is_said_after_a_few_tries(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/m.pt"
    waited: list[float] = []

    with pytest.raises(ModelError, match=r"cannot be reached. Nothing has come; run this again.*--checkpoint"):
        fetch(Wanted(address, 10, None), tmp_path / "m.pt", wait=waited.append)

    assert waited == [1, 2, 4]


def test_a_disk_without_room_is_said_before_anything_comes(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=204_000_000))

    with pytest.raises(ModelError, match=r"0\.2 GB are needed .* and 0\.2 GB are free. Make room"):
        get(file_of(served), tmp_path / "m.pt")

    assert served.asked == []


def test_a_disk_that_fills_up_is_not_taken_for_a_bad_connection(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ml.models.download.os.fsync", full)

    with pytest.raises(ModelError, match="cannot be written: No space left"):
        get(file_of(served), tmp_path / "m.pt")

    assert len(served.asked) == 1


def test_the_makers_addresses_are_https_and_a_mirror_takes_their_place() -> None:
    for model in PUBLISHED:
        check_address(model.address)
        assert wanted(model).address == model.address
        assert wanted(model, "https://mirror.example/sam/").address == f"https://mirror.example/sam/{model.name}.pt"
        with pytest.raises(Refused):
            wanted(model, "http://mirror.example/sam")


def test_only_published_names_are_known() -> None:
    assert published("sam2.1_hiera_tiny").config.endswith("sam2.1_hiera_t.yaml")
    with pytest.raises(ModelError, match=r"no published model named 'sam3'.*sam2\.1_hiera_large"):
        published("sam3")
