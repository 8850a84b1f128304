# SPDX-License-Identifier: Apache-2.0
"""Keep a talkative library from the user's terminal."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow prints, progress bars, log lines and warnings inside the block.

    TFDS announces itself on all four roads. Its errors are exceptions, and those
    pass through.
    """
    from absl import logging as absl_logging

    verbosity = absl_logging.get_verbosity()
    handlers = list(logging.root.handlers)
    absl_logging.set_verbosity(absl_logging.FATAL)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        absl_logging.set_verbosity(verbosity)
        # absl gives the root logger a handler if it has none; that one would write
        # to the stream that just ended, for ever.
        logging.root.handlers[:] = handlers
