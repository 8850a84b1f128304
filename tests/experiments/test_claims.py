# SPDX-License-Identifier: Apache-2.0
"""Claims: all of them, each with a verdict that what was run bears out."""

import itertools
import re
from pathlib import Path

import pytest

from experiments import evidence
from experiments.claims import FAILS, TEXTS, Claim, exhibit, page, read, site

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = list(itertools.chain.from_iterable(read(text) for text in TEXTS))


def test_there_are_eighty_seven():
    assert [claim.number for claim in CLAIMS] == list(range(1, 88))


def test_each_says_something_and_what_is_right():
    for claim in CLAIMS:
        assert claim.says.endswith(".") and claim.right.endswith("."), claim.number


def test_an_unknown_verdict_is_refused():
    with pytest.raises(ValueError, match="claim 3: verdict 'loose'; there are holds"):
        Claim(3, "here", "This.", "loose", "That.", [])


def is_check(entry):
    """Whether the source of an experiment has a check of that name."""
    name, _, check = entry.partition(": ")
    module = evidence.experiments()[name].replace(".", "/")
    return not check or f'"{check}": Check(' in (ROOT / f"{module}.py").read_text()


def test_what_is_named_is_there():
    """Tests by their names; experiments by their ids."""
    files = (ROOT / "tests").rglob("test_*.py")
    text = "\n".join(path.read_text() for path in files)
    tests = set(re.findall(r"^def (test_\w+)", text, re.M))
    for claim in CLAIMS:
        for entry in claim.shown:
            if entry.startswith("test_"):
                assert entry in tests, (claim.number, entry)
            else:
                assert is_check(entry), (claim.number, entry)


def test_each_wrong_one_has_a_figure():
    for claim in CLAIMS:
        shown = [entry for entry in claim.shown if entry.startswith("E")]
        assert shown or claim.verdict != "wrong", claim.number


def test_what_is_run_bears_it_out():
    for claim in CLAIMS:
        for entry in claim.shown:
            assert exhibit(entry).state != FAILS, claim.number


@pytest.mark.parametrize("writer", [page, site])
def test_the_page_is_that_of_the_claims(writer, tmp_path):
    writer.main(tmp_path / "claims")
    assert writer.PATH.read_text() == (tmp_path / "claims").read_text()


def test_a_check_says_whether_it_held(monkeypatch):
    checks = [{"name": "a", "holds": True}, {"name": "b", "holds": False}]
    monkeypatch.setattr(
        evidence, "found", lambda name: {"checks": checks} if name == "E05" else None
    )
    assert page.shown_by("E05: a") == "[E05](evidence/E05.md): a"
    assert page.shown_by("E05: b").endswith("b **does not hold**")
    assert page.shown_by("E05") == "[E05](evidence/E05.md)"
    assert page.shown_by("E06: a") == "E06 (not run yet)"
    assert page.shown_by("test_a") == "`test_a`"
    with pytest.raises(ValueError, match="E05 has no check 'c', but a, b"):
        page.shown_by("E05: c")
