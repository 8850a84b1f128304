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


def test_fit_and_gap_of_the_last_epoch_over_seeds():
    trials = (
        trial("none", 0, 0.96, 0.90),
        trial("none", 1, 0.98, 0.90),
        trial("dropout", 0, 0.94, 0.91),
        trial("dropout", 1, 0.94, 0.91),
    )
    baseline, dropout = gap_notes(Study("s", trials), "none")
    assert "97.00 %" in baseline and "gap of 7.00 points" in baseline
    # 94 - 97 = -3 of fit; 3 - 7 = -4 of gap; so +1 on validation.
    for part in ("fit changes by −3.00", "gap by −4.00", "validation moves by +1.00"):
        assert part in dropout


def test_no_curves_no_explanation():
    without = Trial("none", 0, "done", {}, {}, None)
    assert gap_notes(Study("s", (without,)), "none") == ()
