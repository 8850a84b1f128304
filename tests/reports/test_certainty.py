# SPDX-License-Identifier: Apache-2.0
"""The report says in words when its seeds are too few, and how many it would take."""

import re

import numpy as np
import pytest

from dropout_jax.evaluation.power import seeds_needed
from dropout_jax.reports import tabulate, verdict
from dropout_jax.reports.certainty import certainties, certainty_notes

NONE = np.array([90.0, 90.2, 89.9, 90.1, 90.0])
NOISE = np.array([0.2, -0.1, 0.0, 0.1, -0.2])


@pytest.mark.parametrize(("pairs", "said"), [(1, "1 paired seed is"), (2, "2 paired")])
def test_under_three_pairs_nothing_is_said_of_chance(study, pairs, said):
    # Two seeds that agree to 0.001 points: their t interval excludes zero by far.
    better = NONE + 1 + np.array([0.0, 0.001, 0, 0, 0])
    table = tabulate(study(none=NONE[:pairs], a=better[:pairs]))
    (note,) = certainty_notes(table)
    assert note.startswith(f"a: {said}") and "too few to say anything" in note
    assert "run at least 3" in note
    assert "cannot tell a difference from chance" in verdict(table)
    assert not table.row("a").difference.established
    three = tabulate(study(none=NONE[:3], a=better[:3]))
    assert (
        verdict(three).startswith("‘a’ wins")
        and "told apart" in (certainty_notes(three)[0])
    )


def test_an_undecided_difference_names_the_seeds_it_takes(study):
    table = tabulate(study(none=NONE, a=NONE + 0.05 + NOISE))
    (found,) = certainties(table)
    values = 0.05 + NOISE
    assert found.deviation.mean == pytest.approx(values.std(ddof=1))
    needed = seeds_needed(values.mean(), values.std(ddof=1))
    (note,) = certainty_notes(table)
    assert "not told apart, which does not make them equal" in note
    assert int(re.search(r"about ([\d,]+) seeds", note)[1].replace(",", "")) == needed
    assert found.needed == tuple(
        seeds_needed(asked, values.std(ddof=1)) for asked in (0.5, 0.2, 0.1)
    )


def test_a_difference_that_the_comparisons_take_back_is_called_so(study):
    close = NONE + 0.13 + 0.5 * NOISE
    others = {arm: NONE - NOISE * 2 for arm in "bcd"}
    note = certainty_notes(tabulate(study(none=NONE, a=close, **others)))[0]
    assert "told apart by itself" in note and "no longer after allowing" in note


def test_equal_means_are_no_division_by_zero(study):
    (note,) = certainty_notes(tabulate(study(none=NONE, a=NONE)))
    assert "the means are equal" in note
