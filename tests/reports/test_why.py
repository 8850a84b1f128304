# SPDX-License-Identifier: Apache-2.0
"""The explanation adds up: fit minus gap is validation."""

from dropout_jax.reports.study import Study, Trial
from dropout_jax.reports.why import gap_notes


def trial(arm, seed, train, validation):
    history = {
        "epoch": [1, 2],
        "clean_train_accuracy": [0.5, train],
        "validation_accuracy": [0.4, validation],
    }
    return Trial(arm, seed, "done", {}, {}, None, history)


def test_fit_and_gap_of_the_last_epoch_over_the_seeds_that_both_have():
    trials = (
        trial("none", 0, 0.96, 0.90),
        trial("none", 1, 0.98, 0.90),
        trial("dropout", 0, 0.94, 0.91),
        trial("dropout", 1, 0.94, 0.91),
        trial("dropout", 2, 0.10, 0.10),  # has no partner
    )
    baseline, dropout = gap_notes(Study("s", trials), "none")
    assert "97.00 %" in baseline and "gap of 7.00 points" in baseline
    assert "no cause" in baseline
    # 94 - 97 = -3 of fit; 3 - 7 = -4 of gap; so +1 on validation.
    assert dropout == (
        "'dropout', 2 paired seeds: 94.00 % and 91.00 %; fit −3.00 points, gap −4.00, "
        "validation +1.00 [+1.00, +1.00] (95 % t interval)."
    )


def test_no_curves_no_explanation():
    without = Trial("none", 0, "done", {}, {}, None)
    assert gap_notes(Study("s", (without,)), "none") == ()
