# SPDX-License-Identifier: Apache-2.0
"""Claims: all of them, each with a verdict that its evidence can bear."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from experiments import claims, evidence
from experiments.claims import (
    BEARING,
    FAILS,
    FIRST_LIST,
    OF_FACT,
    VERDICTS,
    Claim,
    every,
    exhibit,
    page,
    read,
    seen,
    site,
)

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = {claim.number: claim for claim in every()}

# The verdicts of the first list, a letter for each of its 87 claims: (h)olds,
# (c)ondition, (w)rong, (o)pinion.
FIRST = (
    "cchcchhhhh hcwhhcchch cchwcwwhwh hhwccchoww wccwwhwcww "
    "ccwocchhch oocochhhhh hhhhchchho hccwcoo"
)
# Claims that say the same thing, or a thing of the same sort.
ALIKE = (
    (1, 7, 71, 78),  # what is dropped gives and gets nothing
    (3, 6, 40, 66, 68),  # equations that define
    (5, 22),  # what follows from independent masks
    (8, 9, 15),  # the two forms
    (18, 30, 32),  # moments of the form that the text names
    (27, 59),  # history, and what others found
    (52, 54, 70, 76, 95),  # what is usual
    (61, 86, 87, 101),  # what a field thinks or does
)
PAPER = r"([A-Z]\w+)(?: et al\.|(?:, | and )[A-Z]\w+(?:, [A-Z]\w+)*)? (\d{4})\b"
CLAIM = {"number": 3, "where": "a", "says": "B.", "right": "C."}


def test_the_list_is_complete():
    """As they were enumerated from the texts: 60 of the textbook, 41 of the notes."""
    numbers = {text: [claim.number for claim in read(text)] for text in claims.TEXTS}
    assert sorted(numbers["textbook"]) == [*range(1, 56), *range(90, 95)]
    assert sorted(numbers["notes"]) == [*range(56, 90), *range(95, 102)]


def test_each_says_something_and_what_is_right():
    for claim in CLAIMS.values():
        for text in (claim.says, claim.right, claim.not_shown, claim.why):
            assert not text or text.endswith((".", ").")), claim.number
        assert claim.says and claim.right, claim.number


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"verdict": "loose"}, "verdict 'loose'; there are holds"),
        ({"verdict": "holds"}, "'holds' needs a check or a test in `shown`"),
        ({"verdict": "wrong"}, "'wrong' needs a check or a test in `shown`"),
        ({"verdict": "described"}, "'described' needs runs in `seen`"),
        ({"verdict": "literature"}, "'literature' needs `sources`"),
        ({"verdict": "opinion"}, "'opinion' needs `not_shown`"),
        ({"verdict": "opinion", "not_shown": "All.", "why": "So."}, "`why` goes"),
        ({"verdict": "opinion", "not_shown": "All.", "was": "holds"}, "`why` goes"),
        ({"verdict": "opinion", "not_shown": "All.", "number": 88}, "`why` goes"),
        ({"verdict": "opinion", "not_shown": "All.", "was": "loose"}, "there are"),
    ],
)
def test_a_verdict_without_what_it_needs_is_refused(fields, problem):
    with pytest.raises(ValueError, match=rf"claim (3|88): .*{problem}"):
        Claim(**{**CLAIM, **fields})


def test_what_is_named_is_there():
    """Tests by their names; of experiments every check, in the code as in the JSON."""
    files = (ROOT / "tests").rglob("test_*.py")
    text = "\n".join(path.read_text() for path in files)
    tests = set(re.findall(r"^def (test_\w+)", text, re.M))
    for claim in CLAIMS.values():
        for entry in claim.shown:
            name, _, check = entry.partition(": ")
            if name.startswith("test_"):
                assert name in tests and not check, (claim.number, entry)
            else:
                module = evidence.experiments()[name].replace(".", "/")
                assert check and f'"{check}": ' in (ROOT / f"{module}.py").read_text()


def test_a_verdict_of_fact_rests_on_what_can_bear_it_and_holds():
    for claim in CLAIMS.values():
        states = [exhibit(entry).state for entry in claim.shown]
        assert not any(states), (claim.number, states)
        assert states or claim.verdict not in OF_FACT, claim.number


@pytest.mark.parametrize("kind", ["description", "estimate"])
def test_what_only_describes_bears_no_verdict(monkeypatch, kind):
    checks = [{"name": "a", "kind": kind, "holds": None}]
    monkeypatch.setattr(evidence, "found", lambda name: {"checks": checks})
    with pytest.raises(ValueError, match=f"E05: 'a' is a {kind}, which bears out no"):
        exhibit("E05: a")


def test_each_wrong_one_has_a_figure():
    for claim in CLAIMS.values():
        shown = [entry for entry in claim.shown if entry.startswith("E")]
        assert shown or claim.verdict != "wrong", claim.number


def test_one_convention_has_one_verdict():
    """Row 44 was wrong and row 46 held by the same convention."""
    verdicts = {}
    for claim in CLAIMS.values():
        if claim.convention:
            verdicts.setdefault(claim.convention, {})[claim.number] = claim.verdict
    assert {44, 46} <= verdicts["unscaled"].keys()
    for convention, found in verdicts.items():
        assert len(set(found.values())) == 1, (convention, found)


@pytest.mark.parametrize("numbers", ALIKE)
def test_like_claims_have_like_verdicts(numbers):
    found = {number: CLAIMS[number].verdict for number in numbers}
    assert len(set(found.values())) == 1, found


def test_verdicts_that_changed_say_so_with_both():
    words = {verdict[0]: verdict for verdict in ("holds", "condition", "wrong")}
    words["o"] = "opinion"
    first = {n: words[one] for n, one in enumerate(FIRST.replace(" ", ""), 1)}
    assert len(first) == FIRST_LIST
    changed = page.page().split("## Verdicts that changed")[1]
    for number, verdict in first.items():
        claim = CLAIMS[number]
        assert claim.was in ({verdict} if claim.verdict != verdict else {verdict, ""})
        if claim.was:
            same = claim.was == claim.verdict
            now = VERDICTS[claim.verdict].name + ", on other grounds" * same
            row = f"| {number} | {VERDICTS[verdict].name} | {now} | "
            assert row in changed, number
            assert f'href="#claim-{number}">{number}</a></th><td>' in site.changed()
    added = set(CLAIMS) - set(first)
    assert all(f"| {number} | not in the list | " in changed for number in added)


def test_counts_of_seeds_come_from_ledgers():
    """No count is written by hand, where nobody would recompute it."""
    for claim in CLAIMS.values():
        for text in (claim.right, claim.not_shown, claim.why):
            assert not re.search(r"\d+ of (the )?\d+ seeds", text), claim.number


def test_papers_that_a_claim_names_are_among_its_sources():
    named = 0
    for claim in CLAIMS.values():
        for name, year in re.findall(PAPER, f"{claim.right} {claim.not_shown}"):
            named += 1
            cited = [one for one in claim.sources if name in one and year in one]
            assert cited, (claim.number, name, year)
    assert named > 15


@pytest.mark.parametrize("number", [39, 40, 41, 50])
def test_the_likely_origin_of_the_masks_on_the_unit_interval_is_cited(number):
    assert any("arXiv:1705.07283" in one for one in CLAIMS[number].sources)


@pytest.mark.parametrize("writer", [page, site])
def test_the_page_is_that_of_the_claims(writer, tmp_path):
    writer.main(tmp_path / "claims")
    assert writer.PATH.read_text() == (tmp_path / "claims").read_text()


def test_a_check_says_whether_it_held(monkeypatch):
    checks = [
        {"name": "a", "kind": "identity", "holds": True},
        {"name": "b", "kind": "test", "holds": False},
    ]
    monkeypatch.setattr(
        evidence, "found", lambda name: {"checks": checks} if name == "E05" else None
    )
    assert page.shown_by("E05: a") == "[E05](evidence/E05.md): a"
    assert page.shown_by("E05: b").endswith("b **does not hold**")
    assert exhibit("E05: b").state == FAILS
    assert page.shown_by("E06: a") == "E06 (not run yet)"
    assert page.shown_by("test_a") == "`test_a`"
    with pytest.raises(ValueError, match="E05 has no check 'c', but a, b"):
        page.shown_by("E05: c")


def paired(ledger, arm, other):
    """Test accuracies in percent of both arms, [2, seeds], read anew."""
    lines = [json.loads(line) for line in (ROOT / ledger).read_text().splitlines()]
    found = {(one["arm"], one["seed"]): one["result"] for one in lines}
    seeds = sorted({seed for of, seed in found if of == arm})
    return np.array([[percent(found[of, s]) for s in seeds] for of in (arm, other)])


def percent(result):
    """By counts of images: accuracies of a ledger are float32."""
    return 100 * round(result["test"]["accuracy"] * result["test_count"]) / 10_000


@pytest.mark.parametrize(
    ("name", "ledger", "arm", "other"),
    [
        ("E19", "results/evidence/E19.jsonl", "dropout 10000", "none 10000"),
        ("E02", "results/evidence/E02.jsonl", "lognormal_dropout 0.3", "dropout 0.3"),
        ("small_data", "results/small_data.jsonl", "dropout .5", "none"),
    ],
)
def test_what_was_seen_is_counted_in_the_ledger(name, ledger, arm, other):
    gains = np.subtract(*paired(ledger, arm, other))
    found = seen.beside(name, arm, other)
    assert found.gain.mean == pytest.approx(gains.mean(), abs=1e-9)
    assert found[1:] == ((gains > 0).sum(), (gains < 0).sum(), len(gains))
    study, text = seen.seen(f"{name}: {arm} over {other}")
    assert study == name and text.startswith(f"{arm} over {other}: ")
    assert f" points, higher in {(gains > 0).sum()} of {len(gains)} seeds" in text


def test_ties_lost_and_withdrawn_runs_are_not_counted_as_seeds_that_agree(monkeypatch):
    def line(arm, seed, accuracy, **more):
        result = (
            {"test": {"accuracy": accuracy}} if accuracy else {"status": "diverged"}
        )
        return {"arm": arm, "seed": seed, "result": result, **more}

    lines = [line("b", seed, 0.5) for seed in range(5)]
    lines += [line("a", 0, 0.6), line("a", 1, 0.5), line("a", 2, 0.4)]
    lines += [line("a", 3, None), line("a", 4, 0.9, withdrawn="its KL")]
    monkeypatch.setattr(evidence, "ledger_lines", lambda name, quick: lines)
    seen.accuracies.cache_clear()
    try:
        found = seen.beside("E05", "a", "b")
        assert found[1:] == (1, 1, 3)
        assert str(found).endswith("points, higher in 1 of 3 seeds, lower in 1")
        with pytest.raises(ValueError, match="E05 has no arm 'c', but b, a"):
            seen.seen("E05: a over c")
    finally:
        seen.accuracies.cache_clear()


def test_a_study_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no study 'nowhere' with any run"):
        seen.seen("nowhere: a over b")


def test_a_check_that_describes_is_shown_with_its_own_words(monkeypatch):
    words = {"says": "it is", "found": "1 to 2", "verdict": "seen in 1 of 5 seeds"}
    checks = [
        {"name": kind, "kind": kind, **words}
        for kind in ("description", "estimate", *BEARING)
    ]
    monkeypatch.setattr(evidence, "found", lambda name: {"checks": checks})
    for kind in ("description", "estimate"):
        found = seen.seen(f"E05: {kind}")
        assert found == ("E05", f"{kind}: it is: 1 to 2; seen in 1 of 5 seeds")
    for kind in BEARING:
        with pytest.raises(ValueError, match=f"E05: {kind} can bear a verdict"):
            seen.seen(f"E05: {kind}")
