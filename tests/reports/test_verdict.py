# SPDX-License-Identifier: Apache-2.0
"""The sentence says what the intervals allow, and no more."""

import numpy as np
import pytest

from dropout_jax.reports import tabulate, verdict

NONE = np.array([90.0, 90.2, 89.9, 90.1, 90.0])
NOISE = np.array([0.02, -0.01, 0.0, 0.01, -0.02])  # t interval: mean +- 0.02


def said(study, **options):
    return verdict(tabulate(study, **options))


def test_a_clear_winner_is_named_with_its_margin_over_the_runner_up(study):
    text = said(study(none=NONE, a=NONE + 0.5 + NOISE, b=NONE + 0.2 - NOISE))
    assert text.startswith("‘a’ wins over ‘none’: +0.50 points of test accuracy (95 % ")
    assert "interval +0.48 to +0.52, 5 paired seeds), above zero, also after" in text
    assert "the 2 comparisons made" in text
    assert "lead over the runner-up, ‘b’, is +0.30 points (+0.26 to +0.34)" in text
    assert text.endswith("which excludes zero.")


def test_a_lead_that_includes_zero_is_called_so(study):
    text = said(study(none=NONE, a=NONE + 0.5 + NOISE, b=NONE + 0.49 - NOISE))
    assert "‘a’ wins" in text and "which does not exclude zero" in text


def test_a_runner_up_below_the_baseline_is_not_a_runner_up(study):
    text = said(study(none=NONE, a=NONE + 0.5 + NOISE, b=NONE - 0.4 + NOISE))
    assert "runner-up" not in text
    assert "below ‘none’, with intervals that exclude zero: ‘b’ (−0.40)" in text


def test_an_interval_above_zero_only_by_itself_is_probable(study):
    # t interval 0.02 +- 0.0196 alone; the joint one for 4 comparisons includes zero.
    almost = NONE + 0.02 + NOISE
    others = {arm: NONE - NOISE * 20 for arm in "bcd"}
    alone, among = study(none=NONE, a=almost), study(none=NONE, a=almost, **others)
    assert said(alone).startswith("‘a’ wins over ‘none’")
    assert "comparisons" not in said(alone)
    assert said(among).startswith("‘a’ probably beats ‘none’: +0.02 points")
    assert "no longer after allowing for the 4 comparisons made" in said(among)


def test_an_interval_with_zero_in_it_names_no_winner(study):
    text = said(study(none=NONE, a=NONE + 0.1 + 20 * NOISE))
    assert text.startswith("No method is shown to beat ‘none’: the highest, ‘a’, is at")
    assert "+0.10 points" in text and "does not exclude zero" in text
    assert "wins" not in text


def test_the_baseline_wins_when_all_others_are_below(study):
    text = said(study(none=NONE, a=NONE - 0.2 + NOISE, b=NONE - 0.5 + NOISE))
    assert text.startswith("‘none’ wins: every other method is below it")
    assert "the nearest being ‘a’, at −0.20 points" in text


def test_a_lower_mean_that_could_be_chance_is_no_win_for_the_baseline(study):
    text = said(study(none=NONE, a=NONE - 0.1 + 20 * NOISE, b=NONE - 0.5 + NOISE))
    assert text.startswith(
        "No method has a higher mean than ‘none’: the nearest is ‘a’"
    )
    assert "not told apart from ‘none’: ‘a’; below ‘none’" in text
    assert "‘b’ (−0.50)" in text and "wins" not in text


def test_equal_methods_have_no_winner(study):
    text = said(study(none=NONE, a=NONE))
    assert "0.00 points" in text and "+0.00" not in text and "−0.00" not in text
    assert "not told apart from ‘none’: ‘a’" in text and "wins" not in text


@pytest.mark.parametrize(("value", "order"), [(91.0, "‘a’ came out"), (89.0, "‘none’")])
def test_one_seed_gives_an_order_and_no_claim(study, value, order):
    text = said(study(none=[90.0], a=[value]))
    assert text.startswith("One paired seed cannot tell a difference from chance: ")
    assert order in text and "highest" in text and "wins" not in text


def test_a_method_with_one_seed_is_left_out_of_the_judgement(study):
    text = said(study(none=NONE, a=NONE + 0.5 + NOISE, b=[99.0]))
    assert text.startswith("‘a’ wins over ‘none’")
    assert "not judged, with one paired seed: ‘b’" in text


def test_from_ten_seeds_the_adjusted_p_value_decides(study):
    generator = np.random.default_rng(0)
    none = generator.normal(90, 0.2, 10).round(2)
    clear = none + 0.3 + generator.normal(0, 0.05, 10).round(2)
    text = said(study(none=none, a=clear, b=none + generator.normal(0, 0.3, 10)))
    assert text.startswith("‘a’ wins") and "10 paired seeds, p = 0.0039)" in text
    # Excluded by its interval alone, but not after Holm over many comparisons.
    weak = none + np.array([0.1] * 8 + [-0.05, -0.05])
    others = {arm: none + np.tile([0.3, -0.31], 5) for arm in "bcd"}
    found = tabulate(study(none=none, a=weak, **others))
    difference = next(row for row in found.rows if row.arm == "a").difference
    assert difference.interval.low > 0 and difference.p_value > 0.05
    assert verdict(found).startswith("‘a’ probably beats ‘none’")


def test_losses_are_told(study):
    text = said(study(none=NONE, a=[None, *(NONE + 0.5 + NOISE)[1:]]))
    assert text.endswith("; of 10 runs 1 diverged, not averaged.")


def test_nothing_to_compare(study):
    assert said(study(none=[None])).startswith("No run has finished")
    assert said(study(none=[90.0])).startswith("Only ‘none’ has results (90.00 %")
    text = said(study(a=NONE, b=NONE + 1), arms=["none"])
    assert "shares a finished seed with ‘none’" in text and "91.04 %, of ‘b’" in text
