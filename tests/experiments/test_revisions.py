# SPDX-License-Identifier: Apache-2.0
"""Rules that changed after their results were known are said, with both verdicts."""

import json

import numpy as np
import pytest
from scipy import stats

from experiments import evidence, revisions

EVERY = [(name, one) for name in evidence.experiments() for one in revisions.of(name)]


def test_none_is_of_an_unknown_experiment():
    text = revisions.PATH.read_text()
    assert len(EVERY) == text.count("[[revision]]") > 50


@pytest.mark.parametrize(("name", "one"), EVERY, ids=lambda v: getattr(v, "check", v))
def test_both_verdicts_are_on_the_page(name, one):
    page = (evidence.pictures(quick=False) / f"{name}.md").read_text()
    assert "## Rules that changed after their results were known" in page
    row = revisions.cells(one, evidence.found(name)["checks"])
    assert all(row) and one.verdict in ("holds", "does not hold")
    for check in one.now:
        assert f"{check}: {evidence.check_of(name, check)['verdict']}" in row[3]
    assert one.now or row[3] == revisions.WITHDRAWN


def test_a_revision_to_what_is_not_there_is_refused():
    one = revisions.Revision("a", "it is", "1", "holds", ("b",), "It was not.")
    with pytest.raises(ValueError, match=r"'a' is revised to \['b'\], but .* are c"):
        revisions.cells(one, [{"name": "c", "verdict": "seen"}])
    row = revisions.cells(one, [{"name": "b", "verdict": "seen in 3 of 5 seeds"}])
    assert row[2:4] == ["holds", "b: seen in 3 of 5 seeds"]
    assert revisions.cells(one._replace(now=()), [])[3] == "withdrawn"


def test_tied_masks_against_their_published_counterpart_from_the_ledger_alone():
    """Of E10 where the LSTM overfits: the numbers, by numpy and scipy alone."""
    path = evidence.results(quick=False) / "E10.jsonl"
    lines = [json.loads(text) for text in path.read_text().splitlines()]

    def of(arm, value):
        return {
            line["seed"]: value(line)
            for line in lines
            if line["arm"] == f"rows, 2,000 images: {arm}"
        }

    for value, check in (
        (lambda line: 100.0 * line["result"]["test"]["accuracy"], "better"),
        (lambda line: min(line["history"]["validation_loss"]), "likelier"),
    ):
        tied, other = of("tied", value), of("non-recurrent", value)
        gains = np.array([tied[seed] - other[seed] for seed in range(5)])
        half = stats.t.ppf(0.975, 4) * gains.std(ddof=1) / 5**0.5
        name = f"where it overfits, tied masks are {check} than non-recurrent ones"
        found = evidence.check_of("E10", name)
        [one] = found["comparisons"]
        ends = [gains.mean(), gains.mean() - half, gains.mean() + half]
        np.testing.assert_allclose(one["interval"], ends, rtol=1e-9)
        assert found["verdict"] == "seen in 5 of 5 seeds"
        assert found["kind"] == "description"
