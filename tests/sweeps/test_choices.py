# SPDX-License-Identifier: Apache-2.0
"""What searches choose of results that are written by hand."""

import dataclasses

import numpy as np
import pytest

from dropout_jax.config import UserError
from dropout_jax.sweeps.choices import Score, best, choose, cut_off, score_of
from dropout_jax.sweeps.protocol import Extension, Method, Role, Setting
from protocols import SMALL, make

PROTOCOL = make(
    {
        "small": dataclasses.replace(
            SMALL,
            learning_rates=(0.01, 0.1),
            baseline_learning_rates=(0.01, 0.1),
            methods={},
        )
    },
    methods={"none": Method(), "noise": Method(strengths=(0.1, 0.2, 0.3))},
)


def line(accuracy, nll, status="done"):
    validation = {"accuracy": accuracy, "nll": 9.0}, {"accuracy": 0.0, "nll": nll}
    last, least = ({"validation": found} for found in validation)
    return {"result": {"status": status}, "sets": {"last": last, "least_nll": least}}


USUAL = line(0.5, 1.0)


def chosen(changed, default=USUAL):
    """Choices where (strength, learning rate, seed) have certain lines."""

    def line_of(setting, seed):
        return changed.get((*setting[1:], seed), default)

    return choose(PROTOCOL, "small", line_of)


def point(choices, search, answer, method="noise"):
    return choices.by_role[Role(search, method, answer)].setting[1:]


def test_each_search_chooses_by_the_mean_over_its_own_seeds():
    found = chosen(
        {
            (0.2, 0.1, 10): line(0.7, 1.1),
            (0.2, 0.1, 11): line(0.7, 1.1),
            (0.3, 0.01, 10): line(0.8, 1.2),  # better once, worse on average
            (0.3, 0.01, 11): line(0.5, 1.2),
            (0.1, 0.1, 12): line(0.6, 0.9),
        }
    )
    assert point(found, 0, "accuracy") == (0.2, 0.1)
    assert point(found, 1, "accuracy") == (0.1, 0.1)
    choice = found.by_role[Role(0, "noise", "accuracy")]
    assert choice.score == Score(0.7, 1.1)


def test_the_answers_choose_by_last_accuracy_and_by_least_nll():
    found = chosen(
        {(0.2, 0.1, s): line(0.7, 1.1) for s in (10, 11)}
        | {(0.3, 0.1, s): line(0.6, 0.7) for s in (10, 11)}
    )
    assert point(found, 0, "accuracy") == (0.2, 0.1)
    assert point(found, 0, "nll") == (0.3, 0.1)


def test_of_equals_the_other_measure_decides_then_the_order_of_the_grid():
    equal = chosen({})
    for answer in ("accuracy", "nll"):
        assert point(equal, 0, answer) == (0.1, 0.01)
    # .7 + .5 is less than .6 + .6 when they are floats of 32 bits.
    half, six, seven = (float(np.float32(number)) for number in (0.5, 0.6, 0.7))
    tied = chosen(
        {
            (0.1, 0.1, 10): line(six, 0.95),
            (0.1, 0.1, 11): line(six, 0.95),
            (0.3, 0.1, 10): line(seven, 0.9),
            (0.3, 0.1, 11): line(half, 0.9),
        }
    )
    assert six + six > seven + half
    assert point(tied, 0, "accuracy") == (0.3, 0.1)
    by_nll = {Setting("a", 1.0, r): Score(r, 0.5) for r in (0.1, 0.2)}
    assert best(by_nll, "nll").learning_rate == 0.2


def test_a_setting_with_a_run_that_diverged_does_not_compete():
    found = chosen(
        {
            (0.2, 0.1, 10): line(0.9, 0.1),
            (0.2, 0.1, 11): line(0.9, 0.1, "diverged"),
            (0.3, 0.1, 10): line(0.6, 0.9),
            (0.3, 0.1, 11): line(0.6, 0.9),
        }
    )
    assert point(found, 0, "accuracy") == point(found, 0, "nll") == (0.3, 0.1)
    assert score_of([line(0.9, 0.1), line(0.9, 0.1, "diverged")]) is None


def test_a_method_of_which_nothing_ended_well_is_told():
    with pytest.raises(UserError, match="'small': no setting of method 'none' ran"):
        chosen({}, line(0.5, 1.0, "diverged"))


def test_pooled_is_over_all_seeds_and_the_curve_has_every_strength():
    found = chosen(
        {
            (0.2, 0.1, 10): line(0.9, 1.0),  # the first search alone
            **{(0.3, 0.1, s): line(0.65, 0.9) for s in (10, 11, 12, 13)},
            **{(0.1, 0.01, s): line(0.3, 1.5) for s in (12, 13)},
        }
    )
    assert point(found, 0, "accuracy") == (0.2, 0.1)
    assert found.pooled["noise", "accuracy"] == Setting("noise", 0.3, 0.1)
    assert found.curve["accuracy"] == (
        Setting("none", None, 0.01),
        Setting("noise", 0.1, 0.1),
        Setting("noise", 0.2, 0.1),
        Setting("noise", 0.3, 0.1),
    )


def test_the_curve_of_each_answer_has_its_own_learning_rates():
    seeds = (10, 11, 12, 13)
    found = chosen(
        {(0.2, 0.1, s): line(0.7, 1.1) for s in seeds}
        | {(0.3, 0.1, s): line(0.4, 0.9) for s in seeds}
    )
    rates = {
        answer: [s.learning_rate for s in settings if s.method == "noise"]
        for answer, settings in found.curve.items()
    }
    assert rates == {"accuracy": [0.01, 0.1, 0.01], "nll": [0.01, 0.01, 0.1]}


def test_a_strength_that_always_diverges_is_no_point_of_the_curve():
    lost = {(0.3, r, 10): line(0.9, 0.1, "diverged") for r in (0.01, 0.1)}
    for settings in chosen(lost).curve.values():
        assert [s.strength for s in settings] == [None, 0.1, 0.2]


@pytest.mark.parametrize(
    ("place", "ends"),
    [
        ((0.1, 0.01), ("lowest strength", "lowest learning rate")),
        ((0.3, 0.1), ("highest strength", "highest learning rate")),
        ((0.2, 0.1), ("highest learning rate",)),
    ],
)
def test_an_optimum_at_an_end_of_the_grid_is_reported(place, ends):
    found = chosen({(*place, seed): line(0.9, 0.9) for seed in (10, 11)})
    choice = found.by_role[Role(0, "noise", "accuracy")]
    assert choice.setting[1:] == place and choice.at_end == ends


def test_a_method_without_strength_has_no_end_of_it():
    found = chosen({(None, 0.1, seed): line(0.9, 0.9) for seed in (10, 11)})
    assert found.by_role[Role(0, "none", "nll")].at_end == ("highest learning rate",)


def test_a_grid_of_one_value_has_no_ends():
    one = dataclasses.replace(PROTOCOL.cells["small"], learning_rates=(0.1,))
    protocol = make({"small": one}, methods=PROTOCOL.methods)
    found = choose(protocol, "small", lambda *_: USUAL)
    choice = found.by_role[Role(0, "noise", "nll")]
    assert choice.at_end == ("lowest strength",)


@pytest.mark.parametrize(
    ("place", "negligible", "ends"),
    [
        ((0.1, 0.01), False, ["lowest strength", "lowest learning rate"]),
        ((0.1, 0.01), True, ["lowest learning rate"]),
        ((0.3, 0.1), True, ["highest strength", "highest learning rate"]),
        ((0.2, 0.1), True, ["highest learning rate"]),
    ],
)
def test_every_end_but_one_of_meaning_cuts_off(place, negligible, ends):
    noise = dataclasses.replace(PROTOCOL.methods["noise"], negligible=negligible)
    protocol = dataclasses.replace(PROTOCOL, methods={"none": Method(), "noise": noise})
    found = chosen({(*place, seed): line(0.9, 0.9) for seed in (10, 11)})
    told = [text for text in cut_off(protocol, found) if "noise, search 1" in text]
    assert told == [
        f"noise, search 1, {answer}: {end}"
        for answer in ("accuracy", "nll")
        for end in ends
    ]


def test_an_end_that_the_cell_extends_is_none():
    one = dataclasses.replace(
        PROTOCOL.cells["small"], extended={"noise": Extension((0.4,))}
    )
    protocol = dataclasses.replace(PROTOCOL, cells={"small": one})
    high = {(0.3, s): line(0.9, 0.9) for s in (10, 11, 12, 13)}
    found = choose(
        protocol,
        "small",
        lambda s, seed: high.get((s.strength, seed), USUAL),
    )
    choice = found.by_role[Role(0, "noise", "accuracy")]
    assert choice.setting.strength == 0.3
    assert choice.at_end == ("lowest learning rate",)
