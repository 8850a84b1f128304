# SPDX-License-Identifier: Apache-2.0
"""The mistakes to plant belong to the code as it is."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "mutations"))
    import run

    return run


@pytest.fixture
def mutations(runner):
    return runner.MUTATIONS


def test_every_mistake_can_still_be_planted(mutations):
    public = [mutation for mutation in mutations if mutation.public]
    assert len(public) >= 8
    for mutation in mutations:
        text = (ROOT / mutation.file).read_text()
        assert text.count(mutation.old) == 1, mutation.what
        assert mutation.old != mutation.new
        ast.parse(text.replace(mutation.old, mutation.new))
        for test in mutation.tests:
            assert (ROOT / "tests" / test).is_file()
    assert len(mutations) >= 40
    assert len({m.what for m in mutations}) == len(mutations)


def test_the_page_lists_every_mistake_and_no_survivor(mutations):
    page = (ROOT / "docs" / "mutations.md").read_text("utf-8")
    rows = re.findall(r"^\| (.*?) \| `", page, re.M)
    assert rows == [mutation.what.replace("|", "\\|") for mutation in mutations]
    assert "\nSurvivors: none.\n" in page


def test_an_interrupted_run_goes_on_and_a_changed_test_starts_anew(
    runner, mutations, monkeypatch, tmp_path
):
    tree, ran = tmp_path / "tree", []
    (tree / "tests").mkdir(parents=True)
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    monkeypatch.setattr(runner, "plant", lambda mutation, root: ran.append(mutation))
    monkeypatch.setattr(runner, "run_tests", lambda *_: (False, "test_a"))
    for _ in range(2):
        assert runner.Judge(tree)(mutations[0]) == (False, "test_a")
    assert ran == [mutations[0]]
    (tree / "tests" / "test_a.py").write_text("")
    runner.Judge(tree)(mutations[0])
    assert ran == [mutations[0]] * 2
