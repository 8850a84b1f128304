# SPDX-License-Identifier: Apache-2.0
"""Fashion-MNIST as Debian and its descendants ship it."""

from pathlib import Path

from dropout_jax.data import watched
from dropout_jax.data.unavailable import Unavailable

PACKAGE = "dataset-fashion-mnist"
# Where the package puts its files, below the root of the file system.
FOLDER = Path("usr/share/datasets/fashion-mnist")

# A silent server is given up after the first. apt may also compute for a while once
# the package lists have come, which from outside looks like silence: the second.
_SECONDS = 10
_COMPUTING_SECONDS = 60

# Hooks that the administrator set for the machine's own `apt-get update` (cleaning
# its caches, telling its desktop) have nothing to do here.
_NO_HOOKS = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


def installed(root: Path = Path("/")) -> Path:
    """The directory of the installed package.

    Raises:
        Unavailable: the package is not installed.
    """
    if not (root / FOLDER).is_dir():
        raise Unavailable("not installed")
    return root / FOLDER


def fetch(work: Path) -> Path:
    """Download the package with apt and unpack it, without root.

    apt asks the servers that the system is set up for, and checks their signatures
    as ever, but keeps its lists below `work`: nothing of the system is written.

    Args:
        work: An empty directory.

    Returns:
        The directory with the four files.

    Raises:
        Unavailable: no apt here, or it cannot get the package.
    """
    for directory in ("lists/partial", "archives/partial"):
        (work / directory).mkdir(parents=True)
    (work / "no-hooks.conf").write_text(_NO_HOOKS)
    options = {
        "Dir::State": work,
        "Dir::State::lists": work / "lists",
        "Dir::Cache": work,
        "Dir::Cache::archives": work / "archives",
        "Acquire::Languages": "none",
        "Acquire::Retries": 0,
        "Acquire::http::Timeout": _SECONDS,
        "Acquire::https::Timeout": _SECONDS,
    }
    apt = ["apt-get", "--quiet=2", "--config-file=no-hooks.conf"]
    apt += [f"--option={name}={value}" for name, value in options.items()]

    def run(*command: str) -> None:
        watched.run(command, work, first=_SECONDS, later=_COMPUTING_SECONDS)

    # One of the system's servers may fail and another have the package: only
    # whether the download works counts.
    update_failed = None
    try:
        run(*apt, "update")
    except Unavailable as reason:
        update_failed = reason
    try:
        run(*apt, "download", PACKAGE)
    except Unavailable as reason:
        raise update_failed or reason from None
    packages = sorted(work.glob(f"{PACKAGE}_*.deb"))
    if not packages:
        raise Unavailable(f"apt-get left no {PACKAGE}_*.deb")
    run("dpkg-deb", "--extract", packages[0].name, ".")
    if not (work / FOLDER).is_dir():
        raise Unavailable(f"{packages[0].name} has no {FOLDER}")
    return work / FOLDER
