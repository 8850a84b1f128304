# SPDX-License-Identifier: Apache-2.0
"""The plan: every trial checked before the first one runs, and its id stable."""

import pytest

from dropout_jax.config import UserError, config_id, defaults
from dropout_jax.config.loading import override
from dropout_jax.sweeps import plan

DROPOUT = {"arm": "dropout", "noise.kind": "dropout", "noise.rates": (0.5,)}


def test_trials_in_order_with_their_overrides():
    base = override(defaults(), {"train.epochs": 3})
    trials = plan("study", base, [{"arm": "none", "seed": 4}, {**DROPOUT, "seed": 5}])
    assert [(t.study, t.arm, t.seed) for t in trials] == [
        ("study", "none", 4),
        ("study", "dropout", 5),
    ]
    assert trials[1].config.noise.rates == (0.5,)
    assert [t.config.train.epochs for t in trials] == [3, 3]
    assert base.seed == 0 and base.noise.kind == "none"  # the base is left alone


def test_equal_configurations_have_equal_ids():
    (a,) = plan("one", defaults(), [{**DROPOUT, "seed": 1}])
    (b,) = plan("two", defaults(), [{**DROPOUT, "noise.rates": [0.5]}])
    base = override(defaults(), {"noise.kind": "dropout", "noise.rates": (0.5,)})
    (c,) = plan("three", base, [{"arm": "y", "seed": 1}])
    assert a.id == c.id == config_id(a.config)
    assert a.id != b.id  # another seed
    assert b.id == plan("two", defaults(), [DROPOUT])[0].id  # list or tuple


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"arm": "bad", "noise.rate": 0.5}, "noise.rate does not exist.*noise.rates"),
        ({**DROPOUT, "noise.rates": (1.5,)}, r"noise.rates=\(1.5,\)"),
        ({**DROPOUT, "noise.rates": (0.1, 0.2, 0.3)}, "3 rates for 2 sites"),
        ({"arm": "bad", "optimizer.momentum": 0.5}, "has no effect"),
        ({"arm": "bad", "model": 3}, "model"),
    ],
)
def test_a_wrong_trial_is_named_with_its_field(wrong, message):
    good = [{"arm": "none", "seed": seed} for seed in range(2)]
    with pytest.raises(UserError, match=message) as error:
        plan("study", defaults(), [*good, wrong])
    text = str(error.value)
    assert text.startswith(f"trial 2 of study 'study' (arm {wrong['arm']!r}): ")
    assert "\n" not in text


@pytest.mark.parametrize("arm", [{}, {"arm": ""}, {"arm": 3}])
def test_a_trial_needs_an_arm(arm):
    with pytest.raises(UserError, match=r"trial 0 of study 'study' has .* for an arm"):
        plan("study", defaults(), [{"seed": 1, **arm}])


def test_the_same_run_twice_is_refused():
    sweep = [{"arm": "none"}, {"arm": "plain", "seed": 0}]
    with pytest.raises(UserError, match=r"trial 1.*'plain'.*same run as one of .*none"):
        plan("study", defaults(), sweep)
