"""What the watch over memory counts: what happens while it watches, and nothing before."""

import subprocess
import sys

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
