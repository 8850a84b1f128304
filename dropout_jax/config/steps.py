# SPDX-License-Identifier: Apache-2.0
"""What is given in epochs, in the steps that a run counts by.

A schedule is checked as it will be computed: by its steps, rounded as the run rounds
them. Epochs that are apart may fall on one step.
"""

from typing import NoReturn

from dropout_jax.config.field import Values, increasing, refuse
from dropout_jax.config.schema import DATA_SETS, DEFAULT_TRAIN_SIZE


def steps(epochs: float, per_epoch: int) -> int:
    """Returns the step at which so many epochs end, the nearest one.

    Example:
      >>> steps(0.99, 50), steps(2.5, 3)
      (50, 8)
    """
    return round(epochs * per_epoch)


def known_images(values: Values) -> int | None:
    """Returns the number of training images of a run; None if only its data tell.

    Args:
      values: by dotted path, as `check_fields` returns them.

    Raises:
      UserError: there are not so many.
    """
    if values["data.name"] not in DATA_SETS:
        return None
    train, validation = DATA_SETS[values["data.name"]]
    asked, validating = values["data.train_size"], values["data.validation_size"]
    drawn = values["data.split"] == "drawn"
    validating, pool = validating or validation, train + validation
    if validating > (most := pool - 1 if drawn else validation):
        _too_many(values, "data.validation_size", most)
    most = pool - validating if drawn else train
    if asked <= most:
        return asked or most
    if not drawn and asked == DEFAULT_TRAIN_SIZE:
        return train
    _too_many(values, "data.train_size", most)


def check_steps(values: Values, images: int) -> None:
    """Checks a configuration against the steps of its run.

    Args:
      values: by dotted path, as `check_fields` returns them.
      images: number of training images.

    Raises:
      UserError: naming the first problem: field, value, what it comes to, the fix.
    """
    per_epoch = images // values["train.batch_size"]
    if not per_epoch:
        refuse(
            values,
            "train.batch_size",
            f"must be at most the number of training images, {images}",
        )
    total = values["train.epochs"] * per_epoch
    run = f"the {total} steps of the run ({per_epoch} an epoch)"
    warmup = steps(values["optimizer.warmup_epochs"], per_epoch)
    if warmup >= total:
        refuse(
            values,
            "optimizer.warmup_epochs",
            f"comes to {warmup} of {run}: leave one at least, with at most "
            f"{(total - 1) / per_epoch:.4g}",
        )
    if values["optimizer.warmup_epochs"] and not warmup:
        refuse(
            values,
            "optimizer.warmup_epochs",
            f"comes to none of {run}: give at least {1 / per_epoch:.4g}, or 0",
        )
    if values["optimizer.schedule"] == "step":
        ends = [steps(epoch, per_epoch) for epoch in values["optimizer.step_epochs"]]
        if min(ends) <= warmup or max(ends) >= total:
            refuse(
                values,
                "optimizer.step_epochs",
                f"comes to the steps {_listed(ends)} of {run}: must lie after the "
                f"warm-up ({warmup} steps) and before the end",
            )
    late = steps(values["noise.schedule_epochs"], per_epoch)
    if values["noise.schedule"] == "late" and late >= total:
        refuse(
            values,
            "noise.schedule_epochs",
            f"comes to {late} of {run}, so that no noise is ever on: give at most "
            f"{(total - 1) / per_epoch:.4g}",
        )
    if values["noise.schedule"] == "piecewise":
        ends = [steps(epoch, per_epoch) for epoch in values["noise.piecewise_epochs"]]
        if not increasing(tuple(ends), 0, total):
            refuse(
                values,
                "noise.piecewise_epochs",
                f"comes to the steps {_listed(ends)} of {run}: must be increasing, "
                "after the first step and before the end, or a factor never holds",
            )


def _listed(ends: list[int]) -> str:
    return ", ".join(map(str, ends))


def _too_many(values: Values, path: str, there: int) -> NoReturn:
    refuse(
        values,
        path,
        f"{values['data.name']} has {there} images for that: choose 1 to that many, or "
        "0 for all",
    )
