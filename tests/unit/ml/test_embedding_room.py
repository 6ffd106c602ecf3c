"""What must go from a folder that is too large: the least recently used, and never what is in use."""

import os
import time
from pathlib import Path

import pytest

from ml.embeddings import Folder, Room

OLD = 1_000_000.0


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def put(folder: Folder, name: str, nbytes: int, used: float) -> Path:
    path = Path("raster", name)
    folder.write(path, bytes(nbytes))
    os.utime(folder.root / path, (used, used))
    return path


def test_within_the_bound_nothing_goes(folder: Folder) -> None:
    put(folder, "a", 500, OLD)
    put(folder, "b", 500, OLD)

    assert Room(folder, 1000).to_go() == []


def test_the_least_recently_used_go_until_there_is_some_room_again(folder: Folder) -> None:
    for number, name in enumerate("abcdefghij"):
        put(folder, name, 110, OLD + number)
    folder.use(Path("raster", "a"))

    gone = Room(folder, 1000).to_go()

    assert [entry.path.name for entry in gone] == ["b", "c"]  # 1100 is too much, 950 is aimed at


def test_what_is_first_goes_before_what_is_older(folder: Folder) -> None:
    for number, name in enumerate("abcd"):
        put(folder, name, 300, OLD + number)

    gone = Room(folder, 1000).to_go(lambda path: path.name in "cd")

    assert [entry.path.name for entry in gone] == ["c"]


def test_what_was_used_or_written_just_now_stays_whatever_the_bound(folder: Folder) -> None:
    now = time.time()
    put(folder, "old", 600, OLD)
    put(folder, "read", 600, now - 5)
    put(folder, "written", 600, now)

    assert [entry.path.name for entry in Room(folder, 1000).to_go()] == ["old"]


def test_a_file_that_was_used_since_it_was_looked_at_stays(folder: Folder) -> None:
    used, unused = put(folder, "used", 600, OLD), put(folder, "unused", 600, OLD + 1)
    room = Room(folder, 500)
    first, second = room.to_go()
    folder.use(used)

    assert not room.let_go(first)
    assert room.let_go(second)
    assert not room.let_go(second)
    assert (folder.size(used), folder.size(unused)) == (600, None)


def test_a_file_that_goes_while_it_is_read_is_read_to_its_end(folder: Folder) -> None:
    path = put(folder, "a", 600, OLD)
    with folder.opened(path, 10_000) as content:
        folder.delete(path)
        assert bytes(content) == bytes(600)


def test_the_folder_is_looked_at_first_and_then_only_now_and_then(folder: Folder) -> None:
    room = Room(folder, 100_000)
    assert room.wrote(10)  # nobody has looked yet
    room.to_go()

    assert [room.wrote(300) for _ in range(4)] == [False, False, False, True]
    room.to_go()
    assert not room.wrote(300)


def test_many_writers_stay_within_a_hundredth_each_of_the_bound(folder: Folder) -> None:
    """Three processes that know nothing of one another."""
    rooms = [Room(folder, 100_000) for _ in range(3)]
    most = 0
    for number in range(300):
        room = rooms[number % 3]
        put(folder, f"{number}", 1000, OLD + number)
        if room.wrote(1000):
            for entry in room.to_go():
                room.let_go(entry)
        most = max(most, sum(entry.nbytes for entry in folder.entries()))

    assert most <= 103_000
    left = {int(entry.path.name) for entry in folder.entries()}
    assert left == set(range(300 - len(left), 300))
