# SPDX-License-Identifier: Apache-2.0
"""The one rule: who is tested, what is corrected for, what may be said."""

import numpy as np
import pytest
from scipy import stats

from dropout_jax.evaluation.comparison import (
    ACCURACY,
    ERROR,
    NLL,
    Outcome,
    Paired,
    compare,
    least_p_value,
)
from dropout_jax.evaluation.power import minimum_detectable_effect


def paired(method, values, measure=ACCURACY):
    return Paired(method, measure, tuple(range(len(values))), tuple(values))


def spread(mean, n=10, width=0.1, seed=0):
    noise = np.random.default_rng(seed).normal(0, width, n)
    return tuple(mean + noise - noise.mean())


def test_a_gain_and_a_loss_of_one_size_are_judged_alike():
    gain, loss = compare(
        [paired("gain", spread(0.5)), paired("loss", [-v for v in spread(0.5)])]
    )
    assert (gain.outcome, loss.outcome) == (Outcome.HIGHER, Outcome.LOWER)
    assert gain.p_value == loss.p_value == 2 * 2 / 2**10
    assert gain.better and loss.better is False


def test_lower_is_better_where_the_measure_falls():
    (found,) = compare([paired("a", spread(-0.02, width=0.002), NLL)])
    assert found.outcome is Outcome.LOWER and found.better


def test_a_method_of_ten_seeds_among_six_of_five_is_corrected_for_all_seven():
    # One method went on to ten seeds; the sentence once counted 7 and corrected for 1.
    several = [paired(f"m{i}", spread(0.3, 5, seed=i)) for i in range(6)]
    clear = spread(0.18, width=0.2)
    alone, among = (
        compare([paired("a", clear)])[0],
        compare([paired("a", clear), *several]),
    )
    assert among[0].family == 7
    assert among[0].p_value == pytest.approx(7 * alone.p_value)
    assert alone.outcome is Outcome.HIGHER and among[0].outcome is Outcome.UNDECIDED
    assert among[0].interval == alone.interval
    assert among[0].corrected.low < alone.corrected.low == alone.interval.low
    assert all(one.outcome is Outcome.DESCRIPTIVE for one in among[1:])


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_under_ten_pairs_everything_is_descriptive(n):
    (found,) = compare([paired("a", spread(5.0, n, 0.001))])
    assert found.outcome is Outcome.DESCRIPTIVE and found.better is None
    assert found.p_value is found.equivalence is found.detectable is None
    assert found.seeds_higher == n and found.seeds_lower == 0


def test_fewer_pairs_than_the_rest_are_descriptive():
    full, less = compare([paired("a", spread(1.0, 12)), paired("b", spread(1.0, 11))])
    assert full.outcome is Outcome.HIGHER and less.outcome is Outcome.DESCRIPTIVE
    assert full.family == less.family == 2


def test_fewer_pairs_than_by_another_measure_are_tested():
    accuracy = paired("a", spread(1.0, 12))
    nll = [paired(m, spread(1.0, 11), NLL) for m in ("a", "b")]
    found = compare([accuracy, *nll])
    assert {one.outcome for one in found} == {Outcome.HIGHER}


def test_fewer_pairs_than_another_cell_are_tested():
    ten = paired("a", spread(1.0, 10))._replace(cell="large")
    twenty = paired("a", spread(1.0, 20))._replace(cell="small")
    found = compare([ten, twenty])
    assert {one.outcome for one in found} == {Outcome.HIGHER}
    assert [one.cell for one in found] == ["large", "small"]
    assert {one.family for one in found} == {2}


def test_what_was_declared_descriptive_is_not_tested_and_not_counted():
    tested = paired("a", spread(0.5))
    declared = paired("b", spread(0.5))._replace(described=True)
    found = compare([tested, declared])
    assert [one.outcome for one in found] == [Outcome.HIGHER, Outcome.DESCRIPTIVE]
    assert found[0].family == 1 and found[0].p_value == 2 / 2**10
    assert found[1].corrected == found[0].corrected


def test_comparisons_to_come_count_and_can_only_lower_p():
    first, later = paired("a", spread(0.3, seed=4)), paired("b", spread(0.5))
    waiting = later._replace(described=True)
    before = compare([first, waiting], planned=20)[0]
    after = compare([first, later], planned=20)[0]
    assert before.family == after.family == 20
    assert before.p_value == pytest.approx(20 * 2 / 2**10)
    assert after.p_value <= before.p_value
    assert compare([first])[0].p_value < before.p_value


def searched(first, second, method="a"):
    values = (*first, *second)
    found = paired(method, values)
    return found._replace(searches=(1,) * len(first) + (2,) * len(second))


def test_a_verdict_needs_the_same_sign_in_every_search():
    agree, disagree = compare(
        [
            searched(spread(0.5), spread(0.1, seed=1)),
            searched(spread(0.8), spread(-0.1, width=0.02, seed=1), "b"),
        ]
    )
    assert agree.outcome is Outcome.HIGHER and agree.better
    assert disagree.p_value <= ERROR
    assert disagree.outcome is Outcome.DISAGREE and disagree.better is None
    assert disagree.by_search[2].mean == pytest.approx(-0.1)
    half = stats.t.ppf(0.975, 9) * stats.sem(disagree.values[:10])
    assert disagree.by_search[1].high == pytest.approx(0.8 + half)


def test_a_search_without_any_difference_agrees_with_none():
    (found,) = compare([searched(spread(0.8), [0.0] * 10)])
    assert found.p_value <= ERROR and found.outcome is Outcome.DISAGREE


def test_one_search_agrees_with_itself():
    (found,) = compare([paired("a", spread(0.5))])
    assert found.by_search == {} and found.searches_agree


def test_searches_that_disagree_may_be_equivalent():
    near = searched(spread(0.05, width=0.02), spread(-0.05, width=0.02, seed=1))
    (found,) = compare([near])
    assert found.outcome is Outcome.EQUIVALENT


def test_opposite_searches_that_cancel_are_not_equivalent():
    # Means of +.62 and -.61 points: their sum says nothing about either.
    wide = ACCURACY._replace(margin=0.5)
    far = searched(spread(0.62, width=0.02), spread(-0.61, width=0.02, seed=1))
    (found,) = compare([far._replace(measure=wide)])
    assert found.p_value > ERROR >= found.equivalence
    assert found.outcome is Outcome.UNDECIDED and not found.within_margin
    wider = ACCURACY._replace(margin=0.63)
    (found,) = compare([far._replace(measure=wider)])
    assert found.outcome is Outcome.EQUIVALENT


def test_a_gain_is_within_the_margin_only_if_each_search_is():
    near, far = compare(
        [
            searched(spread(0.1, width=0.02), spread(0.2, width=0.02, seed=1)),
            searched(spread(0.02, width=0.01), spread(0.31, width=0.01, seed=1), "b"),
        ]
    )
    assert near.outcome is far.outcome is Outcome.HIGHER
    assert far.equivalence <= ERROR
    assert near.within_margin and not far.within_margin


def test_the_searches_are_compared_by_welch():
    first, second = spread(0.5), spread(0.2, n=12, width=0.4, seed=1)
    (found,) = compare([searched(first, second)])
    expected = stats.ttest_ind(second, first, equal_var=False).confidence_interval()
    apart = found.between_searches[2, 1]
    assert apart.mean == pytest.approx(-0.3)
    assert (apart.low, apart.high) == pytest.approx(tuple(expected))
    assert compare([paired("a", first)])[0].between_searches == {}


def test_equal_methods_are_equivalent_and_a_wide_spread_is_not():
    same, noisy = compare(
        [paired("a", [0.0] * 10), paired("b", spread(0.0, width=1.2))]
    )
    assert same.outcome is Outcome.EQUIVALENT and same.p_value == 1
    assert noisy.outcome is Outcome.UNDECIDED and not noisy.within_margin
    deviation = float(np.std(noisy.values, ddof=1))
    expected = minimum_detectable_effect(deviation, 10, alpha=ERROR / 2)
    assert noisy.detectable == expected
    # Uncorrected it would promise more.
    assert expected > minimum_detectable_effect(deviation, 10)


def test_a_significant_difference_may_lie_within_the_margin():
    (found,) = compare([paired("a", spread(0.1, width=0.02))])
    assert found.outcome is Outcome.HIGHER and found.within_margin


def test_equivalence_needs_both_sides():
    # Below the margin from above, far outside of it below: the planted mistake is the
    # smaller of the two p-values.
    (found,) = compare([paired("a", spread(-0.25, width=0.3))])
    assert not found.within_margin


def test_corrected_intervals_are_bonferroni_t():
    pairs = [paired(f"m{i}", spread(0.1, seed=i)) for i in range(4)]
    found = compare(pairs)[2]
    half = stats.t.ppf(1 - ERROR / 4 / 2, 9) * stats.sem(pairs[2].values)
    assert found.corrected.high - found.corrected.mean == pytest.approx(half)


def test_the_family_wise_error_is_kept_under_no_difference():
    generator, false = np.random.default_rng(2), 0
    for _ in range(400):
        values = generator.normal(0, 1, (6, 10))
        found = compare([paired(f"m{i}", row) for i, row in enumerate(values)])
        false += any(one.better is not None for one in found)
    # Exact binomial test at 1e-6 against 5 %; uncorrected tests would err in 26 %.
    assert stats.binomtest(false, 400, ERROR, alternative="greater").pvalue > 1e-6
    assert stats.binomtest(int(400 * 0.26), 400, ERROR).pvalue < 1e-6


def test_what_ten_pairs_cannot_show():
    strong = [paired(f"m{i}", spread(5.0, seed=i)) for i in range(26)]
    assert least_p_value(10, 26) > ERROR
    assert {one.outcome for one in compare(strong)} == {Outcome.UNDECIDED}
    assert {one.outcome for one in compare(strong[:25])} == {Outcome.HIGHER}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([paired("a", [1.0]), paired("a", [2.0])], "given twice"),
        ([Paired("a", ACCURACY, (0, 1), (1.0,))], "1 values"),
        ([paired("a", [])], "0 values"),
        ([paired("a", [1.0, 2.0])._replace(searches=(1,))], "1 searches"),
        ([paired("a", [np.nan])], "NaN"),
    ],
)
def test_what_cannot_be_compared_is_refused(pairs, message):
    with pytest.raises(ValueError, match=message):
        compare(pairs)


def test_nothing_to_compare():
    assert compare([]) == ()
