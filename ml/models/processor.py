"""What this processor can do that decides whether products of eight bits come out right on it."""

from functools import lru_cache
from pathlib import Path

VNNI = "vnni"  # products of unsigned and signed bytes summed in 32 bits; without, two of them overflow 16 bits
FLAGS = {"avx512_vnni", "avx_vnni", "asimddp", "i8mm"}  # the kernel's names; the last two are ARM's


@lru_cache(maxsize=1)
def abilities() -> frozenset[str]:
    """`vnni`, where the processor has such instructions; nothing where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    said = {word for line in lines if line.startswith(("flags", "Features")) for word in line.split()}
    return frozenset({VNNI} if said & FLAGS else ())
