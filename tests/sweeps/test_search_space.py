# SPDX-License-Identifier: Apache-2.0
"""The spaces of a search: their words, and what is refused before anything runs."""

import json
import re
from pathlib import Path

import pytest

from dropout_jax.config import UserError, defaults, validate
from dropout_jax.config.loading import load_config, load_module, override
from dropout_jax.sweeps.distributions import (
    choice,
    from_json,
    log_uniform,
    to_json,
    uniform,
)
from dropout_jax.sweeps.search import described
from dropout_jax.sweeps.space import Arm, arms_of

ROOT = Path(__file__).parents[2]
COMPARE = load_module(ROOT / "configs" / "compare.py")
RATE = log_uniform(1e-4, 1e-2)
ARM = Arm(
    "dropout",
    {
        "noise.kind": "dropout",
        "noise.rates": (uniform(0.0, 0.5), 0.25),
        "model.widths": choice((8, 8), (16, 16)),
        "optimizer.learning_rate": RATE,
    },
)


def test_a_setting_and_its_parameters_are_two_names_of_one_thing():
    parameters = {"noise.rates[0]": 0.1234567, "model.widths": 1}
    parameters["optimizer.learning_rate"] = 0.00123456
    setting = ARM.setting(parameters)
    assert setting == {
        "noise.kind": "dropout",
        "noise.rates": (0.123, 0.25),
        "model.widths": (16, 16),
        "optimizer.learning_rate": 0.00123,
    }
    config = json.loads(json.dumps(override(defaults(), setting).to_dict()))
    found = ARM.parameters(config)
    assert found == {
        "noise.rates[0]": 0.123,
        "model.widths": 1,
        "optimizer.learning_rate": 0.00123,
    }
    assert ARM.setting(found) == setting


@pytest.mark.parametrize("end", [0.123456, 0.876543])
def test_few_digits_stay_inside_the_range(end):
    assert uniform(0.123456, 0.876543).from_parameter(end) == end


def test_a_space_survives_the_disk():
    for value in ARM.fields.values():
        assert from_json(json.loads(json.dumps(to_json(value)))) == value


@pytest.mark.parametrize(
    "make",
    [
        lambda: uniform(0.5, 0.5),
        lambda: uniform(0.5, 0.1),
        lambda: uniform(0.0, float("inf")),
        lambda: uniform("0", 1),
        lambda: log_uniform(0.0, 1.0),
        lambda: choice(1),
        lambda: choice((8,), (8,)),
    ],
)
def test_a_distribution_without_sense_is_refused(make):
    with pytest.raises(UserError, match="must be"):
        make()


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"seed": choice(0, 1)}, "config.seed cannot be an arm's: a seed is never"),
        ({"seed": 3, "optimizer.learning_rate": RATE}, "a seed is never chosen"),
        ({"train.epochs": choice(5, 10)}, "all trials of a search are equally long"),
        ({"train.devices": choice(1, 2)}, "config.train.devices changes no result"),
        ({"optimizer.learningrate": RATE}, "nearest field is config.optimizer.learni"),
        ({"optimizer.learning_rate": 0.1}, "nothing to search"),
        ({"optimizer.learning_rate": uniform(0.1, 20.0)}, "must be a number in (0, 10"),
        ({"train.batch_size": uniform(32, 64)}, "list its values with choice"),
        ({"model.widths": choice((8,), (0,))}, "config.model.widths=(0,): must be"),
        ({"noise.rates": (uniform(0, 0.5),)}, "has no effect with config.noise.kind"),
        # Only the upper end is wrong, and only for this noise.
        (
            {"noise.kind": "gaussian_dropout", "noise.rates": (uniform(0, 1.0),)},
            "gaussian_dropout has infinite noise at 1",
        ),
        # Each end is fine alone: the two sizes of the tuple do not go together.
        (
            {
                "noise.kind": "dropout",
                "noise.rates": (uniform(0, 0.5),) * 2,
                "model.widths": choice((8, 8), (8, 8, 8)),
            },
            "2 rates for 3 sites",
        ),
        # Neither the first nor the last is wrong.
        ({"model.widths": choice((8,), (0,), (4,))}, "config.model.widths=(0,): must"),
        # Each is fine with the first of the other.
        (
            {"data.train_size": choice(90, 40), "train.batch_size": choice(32, 64)},
            "must be at most the number of training images",
        ),
        (("seed",), "must be a dict of fields"),
    ],
)
def test_a_space_that_cannot_be_is_refused_by_arm_and_field(fields, complaint):
    with pytest.raises(UserError, match=re.escape(complaint)) as refused:
        arms_of({"fine": {"optimizer.learning_rate": RATE}, "a/b": fields}, defaults())
    assert str(refused.value).startswith("space(), arm 'a/b': ")


@pytest.mark.parametrize("space", [None, {}, [("none", {})]])
def test_a_space_has_an_entry_for_each_arm(space):
    with pytest.raises(UserError, match="must return a dict with an entry"):
        arms_of(space, defaults())


PROMISED = {
    "none",
    "weight decay",
    "l2",
    "dropout",
    "gaussian dropout",
    "variational dropout",
    "sparse variational dropout",
    "logit-normal dropout",
    "concrete dropout",
}
MORE = {
    "mlp": set(),
    "cnn": {"spatial dropout", "dropblock"},
    "rnn": {"tied dropout", "zoneout"},
}


@pytest.mark.parametrize("model", MORE)
def test_the_ready_spaces(model):
    file = f"{ROOT}/configs/compare.py:{model}"
    base = load_config(file)
    found = described(
        file, base, sampler="tpe", trials=20, at_once=1, reduction=3, first_rung=0
    )
    assert {arm.name for arm in found.arms} == PROMISED | MORE[model]
    assert base.seed == COMPARE.SEARCH_SEED and found.rungs
    for arm in found.arms:
        assert "optimizer.learning_rate" in arm.searched
        for setting in arm.probes():
            validate(override(base, setting))
