# SPDX-License-Identifier: Apache-2.0
"""The first signal is a request, the second one is not asked about."""

import signal

import pytest

from dropout_jax.training.interruption import stop_requests

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("second", BOTH)
@pytest.mark.parametrize("first", BOTH)
def test_the_second_one_kills(first, second):
    killed = []
    previous = [signal.signal(one, lambda n, _: killed.append(n)) for one in BOTH]
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
        for number, handler in zip(BOTH, previous, strict=True):
            signal.signal(number, handler)
