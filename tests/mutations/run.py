# SPDX-License-Identifier: Apache-2.0
"""Plants each mistake of planted/ in a copy of the package and runs its tests.

python tests/mutations/run.py

Writes docs/mutations.md; the exit code is 1 if a mistake survived.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from planted import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "mutations.md"
COPIED = ("dropout_jax", "tests", "configs", "pyproject.toml")
SECONDS = 600  # for the tests of one mistake
ALL_SECONDS = 2400  # for those of all of them, without any
_TITLE = "# Planted mistakes\n"


def plant(mutation: Mutation, root: Path) -> None:
    """Makes the mistake in the tree at `root`."""
    path = root / mutation.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        raise ValueError(
            f"{mutation.what}: its text occurs {text.count(mutation.old)} times in "
            f"{mutation.file}, not once; bring tests/mutations/planted/ up to date"
        )
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")


def run_tests(
    root: Path, tests: tuple[str, ...], seconds: int = SECONDS
) -> tuple[bool, str]:
    """Returns whether the tests pass on the tree, and the first that fails."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            [*command, *(f"tests/{test}" for test in tests)],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root), "HOME": str(root)},
        )
    except subprocess.TimeoutExpired:
        return False, "time limit"
    # A mistake that cannot be imported was not judged by any test.
    failed = re.search(r"^(?:FAILED|ERROR) \S+?::(\w+)", done.stdout, re.M)
    if done.returncode not in (0, 1) or (done.returncode == 1 and not failed):
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return done.returncode == 0, failed[1] if failed else ""


def judge(mutation: Mutation) -> tuple[bool, str]:
    """Returns whether the mistake survives, and the test that noticed it."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        copy(root)
        plant(mutation, root)
        found = run_tests(root, mutation.tests)
    print(f"{'SURVIVED' if found[0] else 'caught  '}  {mutation.what}", flush=True)
    return found


def copy(root: Path) -> None:
    """Copies what the tests need."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, root / name, ignore=ignored)
        else:
            shutil.copy(source, root / name)


def page(found: list[tuple[bool, str]]) -> str:
    """Returns the table as Markdown."""
    survivors = [m.what for m, (ok, _) in zip(MUTATIONS, found, strict=True) if ok]
    public = sum(bool(mutation.public) for mutation in MUTATIONS)
    lines = [
        _TITLE,
        f"{len(MUTATIONS)} mistakes, {public} of them found in published code or "
        "text, each planted in our own code in turn, and the first test that "
        "noticed. Written by `make mutations`.\n",
        f"Survivors: {', '.join(survivors) or 'none'}.\n",
        "| mistake | in | found in | noticed by |",
        "|---|---|---|---|",
    ]
    for mutation, (survived, test) in zip(MUTATIONS, found, strict=True):
        noticed = "**nothing**" if survived else f"`{test}`"
        file = mutation.file.removeprefix("dropout_jax/")
        what = mutation.what.replace("|", "\\|")
        lines.append(f"| {what} | `{file}` | {mutation.public or '-'} | {noticed} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Judges all mistakes, writes the page, and returns the exit code."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        copy(root)
        files = tuple(dict.fromkeys(test for m in MUTATIONS for test in m.tests))
        passes, test = run_tests(root, files, ALL_SECONDS)
        if not passes:
            print(f"error: {test} fails without any mistake", file=sys.stderr)
            return 2
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(judge, MUTATIONS))
    PAGE.write_text(page(found), encoding="utf-8")
    return int(any(survived for survived, _ in found))


if __name__ == "__main__":
    sys.exit(main())
