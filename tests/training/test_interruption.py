# SPDX-License-Identifier: Apache-2.0
"""The first signal is a request, the second one is not asked about."""

import signal

import pytest

from dropout_jax.config.signals import caught, ending
from dropout_jax.training.interruption import stop_requests

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("second", ALL)
@pytest.mark.parametrize("first", ALL)
def test_the_second_one_kills(first, second):
    killed = []
    previous = [signal.signal(one, lambda n, _: killed.append(n)) for one in ALL]
    try:
        with stop_requests() as request:
            assert not request.made
            signal.raise_signal(first)
            assert request.made and not killed
            signal.raise_signal(second)
        assert request.number == first and killed == [second]
        signal.raise_signal(first)
        assert killed == [second, first]  # what was there before is there again
    finally:
        for number, handler in zip(ALL, previous, strict=True):
            signal.signal(number, handler)


def test_nohup_is_left_alone():
    """A terminal that is closed ends no run that was to go on without it."""
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in ending()
        with stop_requests(), caught():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        assert signal.SIGHUP in ending()
    finally:
        signal.signal(signal.SIGHUP, previous)
