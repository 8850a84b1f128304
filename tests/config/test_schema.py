# SPDX-License-Identifier: Apache-2.0
"""The table of fields holds together, and everything made from it agrees."""

import subprocess
import sys
from pathlib import Path

import pytest

from dropout_jax import transforms
from dropout_jax.config import UserError, defaults, validate
from dropout_jax.config.description import markdown
from dropout_jax.config.field import Field
from dropout_jax.config.loading import load_config
from dropout_jax.config.nearest import nearest
from dropout_jax.config.noise_fields import NOISE_KINDS, WEIGHT_KINDS
from dropout_jax.config.schema import BY_PATH, FIELDS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.path)
def test_each_row_makes_sense(field):
    assert field.check(field.default) == field.default
    assert field.meaning.endswith(".")
    assert bool(field.within) == (field.of in (int, float))
    if field.only_with:
        other, values = field.only_with
        assert set(values) <= set(BY_PATH[other].choices) or other == "data.name"


def test_defaults_are_a_complete_locked_valid_configuration():
    config = defaults()
    validate(config)
    assert config.is_locked and config.noise.is_locked
    with pytest.raises(AttributeError):
        config.noise.rate = 0.5


def test_the_noise_kinds_are_the_registered_transforms():
    layers = {name for name in transforms.names() if transforms.get(name).layer}
    assert set(NOISE_KINDS) == layers | {"zoneout", *WEIGHT_KINDS}


@pytest.mark.parametrize("name", ["default", "mlp", "cnn", "rnn", "smoke"])
def test_the_config_files_are_valid(name):
    validate(load_config(ROOT / "configs" / f"{name}.py"))


def test_the_page_is_what_its_command_writes():
    command = [sys.executable, "-m", "dropout_jax.config"]
    page = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=60).stdout
    assert page.decode() == markdown()
    assert (ROOT / "docs" / "config.md").read_text() == markdown(), (
        "run: python -m dropout_jax.config > docs/config.md"
    )
    assert all(f"`{path}`" in markdown() for path in BY_PATH)


@pytest.mark.parametrize(
    ("meant", "field"),
    [
        ("noise.rate", "noise.rates"),
        ("dropout.rate", "noise.rates"),
        ("optimizer.lr", "optimizer.learning_rate"),
        ("optimiser.learning_rate", "optimizer.learning_rate"),
        ("lerning_rate", "optimizer.learning_rate"),
        ("epochs", "train.epochs"),
        ("bs", "train.batch_size"),
        ("wd", "regularizer.weight_decay"),
        ("model.momentum", "optimizer.momentum"),
        ("Seed", "seed"),
    ],
)
def test_the_nearest_field_is_the_one_meant(meant, field):
    assert nearest(meant) == field


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        ("[0, 1]", [0, 1, 0.5, 0.0, 1.0], [-1e-300, 1.0000000000000002]),
        ("(0, 1)", [5e-324, 0.9999999999999999], [0, 1, 0.0, 1.0]),
        ("[0, inf)", [0, 1.7e308], [-1, float("inf"), float("nan"), 10**400]),
    ],
)
def test_intervals_close_where_they_say(interval, inside, outside):
    field = Field("noise.rates", 0.5, "", interval)
    for number in inside:
        assert field.check(number) == number
    for number in outside:
        with pytest.raises(UserError, match="must be a number in"):
            field.check(number)


def test_canonical_forms():
    number = Field("a", 0.5, "", "[0, 1]")
    assert str(number.check(-0.0)) == "0.0"
    assert isinstance(number.check(1), float)
    several = Field("b", (1,), "", "[0, 9]")
    assert several.check([1, 2]) == (1, 2)
    assert several.check([1] * 100) == (1,) * 100
    with pytest.raises(UserError, match=r"config.b has 101 entries; give at most 100"):
        several.check([1] * 101)
    for wrong in (3, "12", None, {1: 2}, (1.0,), (True,), ((1,),)):
        with pytest.raises(UserError, match="must be a tuple of whole numbers"):
            several.check(wrong)


def test_a_long_or_broken_value_stays_one_short_line():
    with pytest.raises(UserError) as caught:
        Field("a", "x", "", choices=("x",)).check("no\nsuch\x1b[2J" * 99)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 120
