"""What the watch over memory counts: what happens while it watches, and nothing before."""

import subprocess
import sys

import numpy as np

from tests.support.memory import Peaks

MEGABYTE = 10**6
HOLDS = "import time; held = bytearray({0}); time.sleep(0.3)"


def test_the_peak_while_watched_counts_and_larger_ones_before_do_not() -> None:
    subprocess.run([sys.executable, "-c", HOLDS.format(400 * MEGABYTE)], check=True)
    held = bytearray(500 * MEGABYTE)
    del held

    with Peaks() as peaks:
        subprocess.run([sys.executable, "-c", HOLDS.format(200 * MEGABYTE)], check=True)
        held = bytearray(100 * MEGABYTE)
        del held

    assert 200 * MEGABYTE < peaks.child < 300 * MEGABYTE
    assert 95 * MEGABYTE < peaks.rise < 150 * MEGABYTE


def test_memory_that_was_freed_before_and_is_taken_again_counts() -> None:
    large = np.ones(31 * MEGABYTE, np.uint8)
    del large  # from now on pieces of up to 31 MB come from the heap
    pieces = [np.ones(20 * MEGABYTE, np.uint8) for _ in range(12)]
    above = np.ones(20_000, np.uint8)  # keeps the heap from shrinking
    del pieces

    with Peaks() as peaks:
        held = bytearray(100 * MEGABYTE)
        del held

    assert len(above) == 20_000
    assert 95 * MEGABYTE < peaks.rise < 150 * MEGABYTE
