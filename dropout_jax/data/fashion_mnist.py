# SPDX-License-Identifier: Apache-2.0
"""Fashion-MNIST out of the cache, where TFDS prepares it once."""

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dropout_jax.config import causes
from dropout_jax.config.errors import UserError
from dropout_jax.data import arrays, cache, idx, sources
from dropout_jax.data.dataset import Dataset
from dropout_jax.data.fashion_files import SHA256, Prepared, read_files
from dropout_jax.slow import told_if_slow

_LOG = logging.getLogger(__name__)

VALIDATION = 5_000  # the last of the 60,000 training images


def load(source_dir: Path | None = None) -> Dataset:
    """Fashion-MNIST out of the cache, prepared there by TFDS if need be.

    Any number of processes may call this at once. The data set is built aside and
    moved into its place whole, and what is read is believed only if its SHA-256
    is right, so neither a kill nor a full disk leaves anything that is used.

    Args:
        source_dir: Directory with the four files. They are checked even when the
            cache has the data set already; None lets `sources` find them.

    Returns:
        The first 55,000 training images, the last 5,000 as validation, and the
        10,000 test images.

    Raises:
        UserError: no source has the files, or `source_dir` has wrong ones.
    """
    given = Prepared(read_files(source_dir), str(source_dir)) if source_dir else None
    directory = cache.directory() / "fashion_mnist"
    prepared = _read_prepared(directory)
    if prepared is None:
        waiting = f"waiting for another process to prepare {directory}"
        with contextlib.ExitStack() as held:
            with told_if_slow(_LOG.info, waiting):
                held.enter_context(cache.locked(directory.parent))
            # Another process may have prepared it while this one waited.
            prepared = _read_prepared(directory) or _prepare(directory, given)
    train, test = prepared.parts["train"], prepared.parts["test"]
    return Dataset(
        *train.rows(None, -VALIDATION),
        *train.rows(-VALIDATION, None),
        *test,
        name="fashion_mnist",
        source=(given or prepared).source,
        sha256=SHA256,
    )


def _prepare(directory: Path, given: Prepared | None) -> Prepared:
    """Build the data set beside `directory` and move it there; holds the lock."""
    from dropout_jax.data import builder

    with causes.writing(directory.parent, 0, cache.ELSEWHERE):
        shutil.rmtree(directory, ignore_errors=True)
        for left in directory.parent.glob("work-*"):  # of a killed preparation
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix="work-", dir=directory.parent) as work:
            parts, source = given or sources.find(Path(work))
            aside = Path(work, "prepared")
            with told_if_slow(_LOG.info, f"preparing Fashion-MNIST in {directory}"):
                builder.prepare(aside, parts, source)
            prepared = _read_prepared(aside)
            if prepared is None:
                raise UserError(
                    f"{directory.parent}: what TFDS wrote there reads back changed; "
                    f"point {cache.VARIABLE} to another disk"
                )
            aside.rename(directory)
            return prepared


def _read_prepared(directory: Path) -> Prepared | None:
    """The data set in `directory` if it is there and right to the last bit."""
    if not os.path.exists(directory):
        return None  # and TFDS need not be imported to know it
    prepared = _believed(arrays.read, directory)
    if prepared is None:
        from dropout_jax.data import builder

        prepared = _believed(builder.read, directory)
        if prepared is not None:
            # Without them the next load is slower, and nothing else.
            with contextlib.suppress(UserError):
                arrays.write(directory, *prepared)
    return prepared


def _believed(read: Callable[..., Any], directory: Path) -> Prepared | None:
    """What is read from `directory`, if it has the right content.

    Raises:
        UserError: the system does not let it be read, which is no damage: nothing is
            fetched anew for it.
    """
    try:
        parts, source = read(directory)
        train, test = parts["train"], parts["test"]
    except MemoryError:
        raise
    except OSError as error:
        if not causes.of_content(error):
            raise causes.unreadable(directory, error) from None
        return None
    except Exception:  # a damaged store fails wherever the damage happens to lie
        return None
    if idx.sha256(*train, *test) != SHA256:
        return None
    return Prepared(parts, source)
