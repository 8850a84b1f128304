# SPDX-License-Identifier: Apache-2.0
"""The places where Fashion-MNIST's four files may be had, in the order tried."""

import logging
from collections.abc import Callable
from pathlib import Path

from dropout_jax.config.errors import UserError
from dropout_jax.data import debian, original
from dropout_jax.data.fashion_files import Prepared, read_files
from dropout_jax.data.unavailable import Unavailable
from dropout_jax.slow import told_if_slow

_LOG = logging.getLogger(__name__)

# Name and how to get there: takes an empty directory, returns one with the files.
# A source_dir of the user's comes before all of them (`fashion_mnist.load`).
SOURCES: tuple[tuple[str, Callable[[Path], Path]], ...] = (
    (f"installed Debian package {debian.PACKAGE}", lambda work: debian.installed()),
    (f"download from {original.URL}", original.fetch),
    (f"Debian package {debian.PACKAGE} fetched with apt", debian.fetch),
)


def find(work: Path) -> Prepared:
    """Take the files from the first source that has them, and check them.

    Args:
        work: An empty directory for what is fetched; the caller removes it.

    Returns:
        The parts, and the source's name.

    Raises:
        UserError: no source has them; one line with each reason and the remedies.
    """
    reasons = []
    for number, (name, get) in enumerate(SOURCES):
        directory = work / str(number)
        directory.mkdir()
        try:
            with told_if_slow(_LOG.info, f"getting Fashion-MNIST: {name}"):
                return Prepared(read_files(get(directory)), name)
        except (Unavailable, UserError) as reason:
            reasons.append(f"{name}: {reason}")
    raise UserError(
        f"Fashion-MNIST is nowhere to be had ({'; '.join(reasons)}): install the "
        f"Debian package {debian.PACKAGE}, or give the directory of its four files "
        "with --config.data.source_dir, or connect to a network"
    )
