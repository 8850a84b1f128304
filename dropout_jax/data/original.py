# SPDX-License-Identifier: Apache-2.0
"""Fashion-MNIST as its authors publish it, through TFDS's download manager.

`main` is the downloading half, in a process of its own: TFDS sets no time limit on a
connection and tries ten times, and only a process can be ended from outside.
"""

import sys
import urllib.request
from pathlib import Path

from dropout_jax.config.errors import told
from dropout_jax.data import watched
from dropout_jax.data.fashion_files import FILES

URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"

_NAMES = [f"{file.name}.gz" for file in FILES]
_SECONDS = 10.0
_HALF = """\
import sys
sys.path.insert(0, sys.argv[1])
from dropout_jax.data import original
original.main(sys.argv[2])
"""


def fetch(work: Path) -> Path:
    """Download the four files; give up when nothing arrives for 10 seconds.

    Args:
        work: An empty directory.

    Returns:
        The directory with the four files, whose packed sha256 TFDS has checked.

    Raises:
        Unavailable: the server cannot be reached, or stopped sending.
    """
    # Not by PYTHONPATH, in which no directory can have a colon.
    package = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", _HALF, package, str(work)]
    watched.run(command, work, first=_SECONDS, later=_SECONDS)
    return work


def _download(work: Path) -> None:
    """The downloading half: ask the server once, then let TFDS do it."""
    # TFDS takes minutes to find out that there is no such host; this, no time.
    # S310: the address is the constant above, no file: can come in.
    probe = urllib.request.Request(URL + _NAMES[0], method="HEAD")  # noqa: S310
    urllib.request.urlopen(probe, timeout=_SECONDS).close()  # noqa: S310

    import tensorflow_datasets as tfds

    manager = tfds.download.DownloadManager(
        download_dir=work / "downloads", force_checksums_validation=True
    )
    paths = manager.download({name: URL + name for name in _NAMES})
    for name in _NAMES:
        Path(paths[name]).rename(work / name)


def main(directory: str) -> None:
    """Download into a directory, or end the process with one line."""
    try:
        _download(Path(directory))
    except Exception as error:  # whatever happens in there, one line tells it
        sys.exit(" ".join(told(error).split()))
