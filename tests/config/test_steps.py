# SPDX-License-Identifier: Apache-2.0
"""What is given in epochs is checked as the run computes it: in steps."""

import pytest

from dropout_jax.config import UserError, defaults, validate
from dropout_jax.config.loading import override
from dropout_jax.config.steps import check_steps, known_images, steps
from dropout_jax.config.validation import check_fields

# 512 images in batches of 128: 4 steps an epoch.
BASE = {"data.name": "synthetic", "train.epochs": 2}
DROP = {"noise.kind": "dropout", "noise.rates": (0.5,)}
WARMUP, ENDS = "optimizer.warmup_epochs", "optimizer.step_epochs"
STEP = {"optimizer.schedule": "step"}
LATE = {**DROP, "noise.schedule": "late"}
PIECES = {**DROP, "noise.schedule": "piecewise", "noise.piecewise_factors": (1.0, 0.5)}
THREE = {**PIECES, "noise.piecewise_factors": (1.0, 0.5, 0.0)}

REFUSED = [
    ({WARMUP: 1.99}, "comes to 8 of the 8 steps of the run (4 an epoch)", 1.75),
    ({WARMUP: 0.99, "train.epochs": 1}, "comes to 4 of the 4 steps", 0.75),
    ({WARMUP: 0.1}, "comes to none of the 8 steps", 0.25),
    ({**STEP, ENDS: (1.9,)}, "comes to the steps 8 of the 8", (1.7,)),
    ({**STEP, ENDS: (0.01,)}, "comes to the steps 0 of the 8", (0.3,)),
    ({**STEP, WARMUP: 1.0, ENDS: (1.1,)}, "after the warm-up (4 steps)", (1.2,)),
    ({**LATE, "noise.schedule_epochs": 1.99}, "no noise is ever on", 1.75),
    ({**PIECES, "noise.piecewise_epochs": (1.99,)}, "a factor never holds", (1.7,)),
    ({**PIECES, "noise.piecewise_epochs": (0.01,)}, "to the steps 0 of", (0.3,)),
    ({**THREE, "noise.piecewise_epochs": (1.0, 1.1)}, "steps 4, 4 of", (1.0, 1.2)),
]


@pytest.mark.parametrize("fields, says, good", REFUSED)
def test_epochs_that_fall_on_no_step_of_their_own_are_refused(fields, says, good):
    path = list(fields)[-1] if "train.epochs" not in fields else WARMUP
    with pytest.raises(UserError) as caught:
        validate(override(defaults(), {**BASE, **fields}))
    said = str(caught.value)
    assert said.startswith(f"config.{path}=") and says in said and "\n" not in said
    validate(override(defaults(), {**BASE, **fields, path: good}))


def test_data_of_ones_own_are_checked_once_they_are_read(tmp_path):
    (tmp_path / "own.npz").touch()
    fields = {**BASE, "data.name": str(tmp_path / "own.npz"), WARMUP: 1.99}
    config = override(defaults(), fields)
    validate(config)
    with pytest.raises(UserError, match="comes to 20 of the 20 steps"):
        check_steps(check_fields(config), 1_280)
    check_steps(check_fields(config), 64_000)
    with pytest.raises(UserError, match=r"batch_size=128: must be at most .*, 100"):
        check_steps(check_fields(config), 100)


SIZES = [
    ({}, 512),
    ({"data.train_size": 0}, 512),
    ({"data.train_size": 55_000}, 512),
    ({"data.train_size": 130}, 130),
    ({"data.split": "drawn", "data.train_size": 0}, 512),
    ({"data.split": "drawn", "data.train_size": 0, "data.validation_size": 40}, 600),
    ({"data.name": "fashion_mnist"}, 55_000),
    ({"data.name": "fashion_mnist", "data.train_size": 0}, 55_000),
    ({"data.name": "fashion_mnist", "data.split": "drawn"}, 55_000),
    ({"data.name": "/own.npz"}, None),
]


@pytest.mark.parametrize("fields, images", SIZES)
def test_the_number_of_images_is_known_before_they_are_read(fields, images):
    values = check_fields(override(defaults(), {**BASE, **fields}))
    assert known_images(values) == images


IMPOSSIBLE = [
    ({"data.train_size": 513}, "data.train_size=513: synthetic has 512"),
    ({"data.train_size": 60_000, "data.name": "fashion_mnist"}, "has 55000"),
    ({"data.validation_size": 129}, "data.validation_size=129: synthetic has 128"),
    ({"data.split": "drawn"}, "data.train_size=55000: synthetic has 512"),
    ({"data.split": "drawn", "data.validation_size": 640}, "=640: synthetic has 639"),
]


@pytest.mark.parametrize("fields, says", IMPOSSIBLE)
def test_more_images_than_there_are_are_refused_at_once(fields, says):
    with pytest.raises(UserError) as caught:
        validate(override(defaults(), {**BASE, **fields}))
    assert says in str(caught.value) and "or 0 for all" in str(caught.value)


def test_steps_are_rounded():
    assert [steps(e, 4) for e in (0.1, 0.2, 1.9, 2)] == [0, 1, 8, 8]
