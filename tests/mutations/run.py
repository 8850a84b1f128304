# SPDX-License-Identifier: Apache-2.0
"""Plants each mistake of planted/ in a copy of the package and runs its tests.

python tests/mutations/run.py               # all of them, into docs/mutations.md
python tests/mutations/run.py "keep and"    # only those with these words
python tests/mutations/run.py new           # only those that the page does not have

Each row of the page names the commit at which its mistake was judged. The exit code is
1 if a mistake survived. What has been judged is kept under build/ until the package or
its tests change, so that an interrupted run goes on.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from planted import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "mutations.md"
COPIED = ("dropout_jax", "tests", "configs", "benchmarks", "pyproject.toml", "train.py")
COPIED += ("Makefile",)  # whose targets messages name
COPIED += ("docs/reproducibility.md",)  # which test_determinism.py holds us to
COPIED += ("experiments", "results/evidence", "results/small_data.jsonl")
COPIED += ("docs/claims.md", "docs/claims.html")  # which test_claims.py compares
SECONDS = 600  # for the tests of one mistake
ALL_SECONDS = 3600  # for those of all of them, without any
Verdict = tuple[bool, str]  # whether the tests passed, and the first that did not
Row = tuple[str, str]  # of the page: what noticed the mistake, and the commit
NOTHING = "**nothing**"
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


def run_tests(root: Path, tests: tuple[str, ...], seconds: int = SECONDS) -> Verdict:
    """Returns whether the tests pass on the tree, and the first that fails."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += ["-m", "not peers and not ray"]  # torture too, in its quick form
    try:
        done = subprocess.run(
            [*command, *(f"tests/{test}" for test in tests)],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(root),
                "HOME": str(root),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )
    except subprocess.TimeoutExpired:
        return False, "time limit"
    # A mistake that cannot be imported was not judged by any test.
    failed = re.search(r"^(?:FAILED|ERROR) \S+?::(\w+)", done.stdout, re.M)
    if done.returncode not in (0, 1) or (done.returncode == 1 and not failed):
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return done.returncode == 0, failed[1] if failed else ""


class Judge:
    """Judges mistakes, each once for one state of the package and its tests.

    Attributes:
      tree: a copy of what the tests need, which nobody changes.
    """

    def __init__(self, tree: Path):
        self.tree = tree
        digest = hashlib.sha256()
        for path in sorted(p for p in tree.rglob("*") if p.is_file()):
            digest.update(str(path.relative_to(tree)).encode() + path.read_bytes())
        self._ledger = ROOT / "build" / "mutations" / f"{digest.hexdigest()}.jsonl"
        self._known: dict[str, Verdict] = {}
        if self._ledger.exists():
            lines = self._ledger.read_text(encoding="utf-8").splitlines()
            self._known = {
                what: (ok, test) for what, ok, test in map(json.loads, lines)
            }

    def unchanged(self, chosen: Sequence[Mutation]) -> Verdict:
        """Returns the verdict of the tests of some mistakes without any of them."""
        files = tuple(dict.fromkeys(test for m in chosen for test in m.tests))
        name = f"unchanged {' '.join(files)}"
        found = self._once(name, lambda: run_tests(self.tree, files, ALL_SECONDS))
        print("without any mistake:", "pass" if found[0] else found[1], flush=True)
        return found

    def __call__(self, mutation: Mutation) -> Verdict:
        """Returns whether the mistake survives, and the test that noticed it."""
        found = self._once(mutation.what, lambda: self._judge(mutation))
        place = MUTATIONS.index(mutation) + 1
        word = "SURVIVED" if found[0] else "caught  "
        print(f"{word} {place}/{len(MUTATIONS)}  {mutation.what}", flush=True)
        return found

    def _judge(self, mutation: Mutation) -> Verdict:
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory) / "tree"
            shutil.copytree(self.tree, root)
            plant(mutation, root)
            return run_tests(root, mutation.tests)

    def _once(self, what: str, run: Callable[[], Verdict]) -> Verdict:
        if what not in self._known:
            self._known[what] = run()
            self._ledger.parent.mkdir(parents=True, exist_ok=True)
            with self._ledger.open("a", encoding="utf-8") as file:
                file.write(json.dumps([what, *self._known[what]]) + "\n")
        return self._known[what]


def copy(root: Path) -> None:
    """Copies what the tests need."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, root / name, ignore=ignored)
        else:
            (root / name).parent.mkdir(exist_ok=True)
            shutil.copy(source, root / name)


def commit() -> str:
    """Returns the commit that the tree is at, with a mark where it has changed."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def judged() -> dict[str, Row]:
    """Returns what the page has of each mistake, by its words."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    rows = re.findall(r"^\| (.*?) \| `\S+` \|.*\| (\S+) \| (\S+) \|$", text, re.M)
    return {what.replace("\\|", "|"): (noticed, at) for what, noticed, at in rows}


def page(found: dict[str, Row]) -> str:
    """Returns the table as Markdown."""
    survivors = [what for what, (noticed, _) in found.items() if noticed == NOTHING]
    public = sum(bool(mutation.public) for mutation in MUTATIONS)
    lines = [
        _TITLE,
        f"{len(MUTATIONS)} mistakes, {public} of them found in published code or "
        "text, each planted in our own code in turn, the first test that noticed, and "
        "the commit at which it was judged. Written by `make mutations`; "
        "`tests/mutations/run.py new` judges those that are new.\n",
        f"Survivors: {', '.join(survivors) or 'none'}.\n",
        "| mistake | in | found in | noticed by | at |",
        "|---|---|---|---|---|",
    ]
    for mutation in MUTATIONS:
        noticed, at = found[mutation.what]
        file = mutation.file.removeprefix("dropout_jax/")
        what = mutation.what.replace("|", "\\|")
        public_in = mutation.public or "-"
        lines.append(f"| {what} | `{file}` | {public_in} | {noticed} | {at} |")
    return "\n".join(lines) + "\n"


def main(words: str = "") -> int:
    """Judges the mistakes that `words` occur in, and returns the exit code."""
    known = judged()
    chosen = [mutation for mutation in MUTATIONS if words in mutation.what]
    if words == "new":
        chosen = [mutation for mutation in MUTATIONS if mutation.what not in known]
    if not chosen:
        print(f"error: no mistake has the words {words!r} (tests/mutations/planted/)")
        return 2
    at = commit()
    with tempfile.TemporaryDirectory() as directory:
        copy(Path(directory))
        judge = Judge(Path(directory))
        with ThreadPoolExecutor(2) as pool:
            unchanged = pool.submit(judge.unchanged, chosen)
            found = list(pool.map(judge, chosen))
    passes, test = unchanged.result()
    if not passes:
        print(f"error: {test} fails without any mistake", file=sys.stderr)
        return 2
    for mutation, (survived, test) in zip(chosen, found, strict=True):
        known[mutation.what] = (NOTHING if survived else f"`{test}`", at)
    if missing := [m.what for m in MUTATIONS if m.what not in known]:
        print(f"the page waits for {len(missing)} that were not judged yet")
    else:
        rows = {mutation.what: known[mutation.what] for mutation in MUTATIONS}
        PAGE.write_text(page(rows), encoding="utf-8")
    return int(any(survived for survived, _ in found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
