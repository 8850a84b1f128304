# SPDX-License-Identifier: Apache-2.0
"""The three sets of parameters that a run keeps, each of a validated epoch."""

from __future__ import annotations

from typing import Any, NamedTuple

from dropout_jax import stored


class Kept(NamedTuple):
    """The parameters at the end of one epoch.

    Attributes:
      epoch: number of epochs that were finished; 0 before the first one is.
      validation: their summary on the validation set.
      model: (params, model_state).
    """

    epoch: int
    validation: dict[str, float]
    model: Any


class Sets(NamedTuple):
    """The sets by name. Of epochs with the same value, the first one is kept."""

    best_accuracy: Kept  # highest validation accuracy
    least_nll: Kept  # least validation loss
    last: Kept

    def models(self) -> dict[int, Any]:
        """Returns the parameters by epoch, in the order of the epochs.

        There are one to three: an epoch may be the best in both, or the last.
        """
        return {kept.epoch: kept.model for kept in sorted(self, key=_epoch)}

    def host(self) -> dict[str, Any]:
        """Returns what a checkpoint stores of the sets beside their arrays."""
        return {
            name: {"epoch": kept.epoch, "validation": kept.validation}
            for name, kept in self._asdict().items()
        }


NAMES = Sets._fields
# The set that a run reports outside of `sets`, by `train.keep`.
OF_KEEP = {"best": "best_accuracy", "last": "last"}


def begin(model: Any) -> Sets:
    """Returns the sets before the first epoch: the initial parameters.

    Args:
      model: (params, model_state).
    """
    return Sets(*[Kept(0, {}, model)] * len(NAMES))


def after(sets: Sets, found: Kept) -> Sets:
    """Returns the sets after one more epoch.

    Args:
      sets: before it.
      found: its parameters and their summary on the validation set.

    Example:
      >>> first = Kept(1, {"accuracy": 0.8, "nll": 0.5}, "first")
      >>> second = Kept(2, {"accuracy": 0.8, "nll": 0.4}, "second")
      >>> sets = after(after(begin("initial"), first), second)
      >>> sets.best_accuracy.model, sets.least_nll.model, sets.last.model
      ('first', 'second', 'second')
      >>> sets.models()
      {1: 'first', 2: 'second'}
    """
    best, least, _ = sets
    if not best.epoch or found.validation["accuracy"] > best.validation["accuracy"]:
        best = found
    if not least.epoch or found.validation["nll"] < least.validation["nll"]:
        least = found
    return Sets(best, least, found)


def epochs(place: object, host: Any) -> list[int]:
    """Returns the epochs whose parameters a checkpoint holds, in order.

    Args:
      place: of the checkpoint, for messages.
      host: what `Sets.host` returned.

    Raises:
      Damaged: it is something else.
    """
    each = (stored.expect(place, host, name, dict) for name in NAMES)
    return sorted({stored.expect(place, kept, "epoch", int) for kept in each})


def restored(place: object, host: Any, models: list[Any]) -> Sets:
    """Returns the sets from a checkpoint.

    Args:
      place: of the checkpoint, for messages.
      host: what `Sets.host` returned.
      models: the parameters of `epochs(place, host)`.

    Raises:
      Damaged: `host` is something else.
    """
    of_epoch = dict(zip(epochs(place, host), models, strict=True))

    def kept(name: str) -> Kept:
        epoch = host[name]["epoch"]
        validation = stored.expect(place, host[name], "validation", dict)
        for metric in ("accuracy", "nll") if epoch else ():
            stored.expect(place, validation, metric, int | float)
        return Kept(epoch, validation, of_epoch[epoch])

    return Sets(*map(kept, NAMES))


def _epoch(kept: Kept) -> int:
    return kept.epoch
