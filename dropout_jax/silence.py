# SPDX-License-Identifier: Apache-2.0
"""How long nothing new has been seen of something that should be at work."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

# Most seconds that count between two looks. Whoever did not look for longer was asleep
# or held up itself, and cannot know.
LOOK_SECONDS = 5.0


class Silence:
    """Seconds since the last change of a sign, of the time that this process watched.

    Only the clock of this process is read, and only while it looks. So a machine that
    sleeps, a container that is frozen, and a clock that is set, here or where the sign
    is from, are no silence.

    Attributes:
      seconds: as of the last look.

    Example:
      >>> clock = iter([0.0, 1.0, 2.0, 3602.0]).__next__
      >>> silence = Silence(clock)
      >>> [silence.look("a"), silence.look("a"), silence.look("a")]  # then it slept
      [0.0, 1.0, 6.0]
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        """Begins to count.

        Args:
          clock: seconds that never go back.
        """
        self._clock, self._sign = clock, None
        self.seconds, self._looked = 0.0, clock()

    def look(self, sign: Hashable) -> float:
        """Returns the seconds of silence.

        Args:
          sign: what is new when it differs from the last one; None: there is none,
            which is neither new nor forgets the one before.
        """
        now = self._clock()
        passed, self._looked = now - self._looked, now
        if sign is not None and sign != self._sign:
            self._sign, self.seconds = sign, 0.0
        else:
            self.seconds += min(passed, LOOK_SECONDS)
        return self.seconds
