# SPDX-License-Identifier: Apache-2.0
"""The words of the verdict; that they follow the rule is in test_every_sentence.py."""

import numpy as np
import pytest

from dropout_jax.reports import tabulate, verdict

NONE = np.array([90.0, 90.2, 89.9, 90.1, 90.0] * 2)
NOISE = np.array([0.02, -0.01, 0.0, 0.01, -0.02] * 2)


def said(study, **options):
    return verdict(tabulate(study, **options))


def test_every_method_that_passes_is_named_with_gains_and_losses_alike(study):
    text = said(
        study(
            none=NONE,
            a=NONE + 0.5 + NOISE,
            b=NONE + 0.2 - NOISE,
            c=NONE - 0.5 + NOISE,
            d=NONE,
            e=NONE + 40 * NOISE,
        )
    )
    assert text == (
        "Test accuracy, against ‘none’: significantly higher with ‘a’ (+0.50 points, "
        "p = 0.0098) and ‘b’ (+0.20 points, p = 0.0098, within the margin); "
        "significantly lower with ‘c’ (−0.50 points, p = 0.0098); equivalent within "
        "0.3 points with ‘d’ (0.00 points, p = 0.0049); no significant difference with "
        "‘e’ (0.00 points, minimum detectable effect 0.81 points). Significance at 5 % "
        "after "
        "Holm's correction for 5 comparisons (accuracy); all with 10 paired seeds are "
        "tested. No statement is made on NLL."
    )


def test_few_seeds_are_described_and_no_more(study):
    text = said(study(none=NONE[:5], a=NONE[:5] + 0.5 + NOISE[:5], b=NONE[:5]))
    assert text == (
        "No test was made, because the comparisons have under 10 paired seeds; they "
        "are only described. Described, not tested: test accuracy against ‘none’ is "
        "higher in 5 of 5 seeds with ‘a’ (+0.50 [+0.48, +0.52] points) and equal in 5 "
        "of 5 seeds with ‘b’ (0.00 [0.00, 0.00] points). No statement is made on NLL."
    )


def test_one_seed_has_no_interval(study):
    text = said(study(none=[90.0], a=[89.0]))
    assert "lower in 1 of 1 seeds with ‘a’ (−1.00 points)" in text


def test_a_method_with_fewer_pairs_than_the_rest_is_described_beside_it(study):
    text = said(study(none=NONE, a=NONE + 0.5 + NOISE, b=[99.0]))
    assert text.startswith(
        "Test accuracy, against ‘none’: significantly higher with ‘a’"
    )
    assert "correction for 2 comparisons" in text
    assert "higher in 1 of 1 seeds with ‘b’ (+9.00 points)" in text


def test_it_says_when_nothing_could_be_significant(study):
    many = {f"m{i}": NONE + 2 + NOISE * i for i in range(26)}
    text = said(study(none=NONE, **many))
    assert text.startswith(
        "Nothing can be significant here: with 10 paired seeds, 26 comparisons allow "
        "no corrected p-value under 0.0508."
    )
    assert "detectable" not in text
    assert "significantly" not in text


def test_runs_without_results_are_told(study):
    text = said(study(none=NONE, a=[None, *(NONE + 0.5 + NOISE)[1:]]))
    assert text.endswith(
        " Of 20 runs of these settings 1 diverged; they are not averaged."
    )
    assert "significantly" not in text  # 9 pairs


@pytest.mark.parametrize(
    ("arms", "text"),
    [
        ({"none": [None]}, "No run has finished, so there is nothing to compare. Of 1"),
        ({"none": [90.0]}, "Only ‘none’ has results (test accuracy 90.00 %)."),
    ],
)
def test_nothing_to_compare(study, arms, text):
    assert said(study(**arms)).startswith(text)


def test_no_seed_in_common(study):
    text = said(study(a=NONE, b=NONE + 1), arms=["none"])
    assert text == (
        "No method has a finished seed that can be paired with one of ‘none’, so "
        "nothing is compared."
    )
