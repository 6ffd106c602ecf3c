"""How much one user may send: token buckets that refill with time."""

import time
from collections import OrderedDict
from collections.abc import Callable


class Bucket:
    """Holds up to `burst` tokens and gains `rate` a second."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self._clock = rate, burst, clock
        self._tokens, self._at = burst, clock()

    def take(self) -> bool:
        """Takes one token; False when there is none."""
        moment = self._clock()
        self._tokens = min(self.burst, self._tokens + (moment - self._at) * self.rate)
        self._at = moment
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Buckets:
    """One bucket for each user, shared by all of the user's sockets in this process."""

    def __init__(self, rate: float, burst: float, keep: int = 10_000) -> None:
        self.rate, self.burst, self.keep = rate, burst, keep
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, user: str) -> bool:
        """Takes one token of the user's."""
        bucket = self._buckets.get(user)
        if bucket is None:
            bucket = self._buckets[user] = Bucket(self.rate, self.burst)
            if len(self._buckets) > self.keep:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(user)
        return bucket.take()
