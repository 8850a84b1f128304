# SPDX-License-Identifier: Apache-2.0
"""Successive halving: trials that are not among the best so far end early.

At a few epochs, the rungs, a trial goes on only if its validation loss is among the
best 1 / reduction of those that its arm has seen there: the rule of successive
halving (Jamieson & Talwalkar 2016, Non-stochastic best arm identification) in the
form that needs no bracket of trials to wait for each other, ASHA (Li et al. 2020, A
system for massively parallel hyperparameter tuning, section 3.2, by stopping).

Regularisation costs fit early and pays late: a rung at a tenth of the run prefers
weak noise and little decay to what would win in the end. By default there is one, when
a share 1 / reduction of the epochs is over.

A trial is compared with those asked for before its batch. So the bounds are known
before it begins, and stand in a file: what is pruned does not depend on how many
processes work, on who is faster, or on where a search was interrupted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dropout_jax import stored
from dropout_jax.files import to_json, write_atomically
from dropout_jax.sweeps.study import StudyDirectory
from dropout_jax.sweeps.trials import Trial
from dropout_jax.training.validations import validated_epochs

FILE = "rungs.json"
Bounds = Mapping[str, Mapping[int, float]]  # by arm and epoch


def rungs(
    epochs: int, reduction: int, first: int = 0, validations: int = 0
) -> tuple[int, ...]:
    """Returns the epochs at which trials may be pruned.

    Each is `reduction` times the one before, and so is at least the whole run beside
    the last: where nearly all was spent, there is nothing left to save. A rung where
    no trial validates moves to the next epoch where they do.

    Args:
      epochs: of a trial.
      reduction: how many trials there are for each that goes on; 0: none is pruned.
      first: the first rung; 0: as late as one can be.
      validations: `train.validations` of a trial.

    Example:
      >>> rungs(30, 3), rungs(5, 2), rungs(30, 3, first=3), rungs(8, 0)
      ((10,), (2,), (3, 9), ())
      >>> rungs(30, 3, first=3, validations=5), rungs(30, 3, validations=1)
      ((5, 11), ())
    """
    if not reduction:
        return ()
    places = validated_epochs(epochs, validations)
    epoch, found = first or max(1, epochs // reduction), []
    while epoch * reduction <= epochs:
        found.append(next(place for place in places if place >= epoch))
        epoch *= reduction
    return tuple(place for place in dict.fromkeys(found) if place < epochs)


def bounds(
    losses: Iterable[Mapping[int, float]], at: Sequence[int], reduction: int
) -> dict[int, float]:
    """Returns the largest validation loss with which a trial may pass each rung.

    Args:
      losses: validation loss by epoch of the trials to compare with.
      at: the rungs.
      reduction: how many trials there are for each that goes on.

    Returns:
      By epoch; a rung that too few trials have seen is left out.

    Example:
      >>> seen = [{1: 0.5, 3: 0.45}, {1: 0.9}, {1: 0.4, 3: 0.3}, {1: 0.6}, {1: 0.7}]
      >>> bounds(seen, (1, 3), reduction=3)
      {1: 0.5, 3: 0.3}
    """
    losses, found = list(losses), {}
    for epoch in at:
        seen = sorted(trial[epoch] for trial in losses if epoch in trial)
        # Of those and the trial itself, so many go on.
        passing = (len(seen) + 1) // reduction
        if passing:
            found[epoch] = seen[passing - 1]
    return found


def write_bounds(study: StudyDirectory, found: Bounds) -> None:
    """Stores the bounds that hold for the trials that are asked for next."""
    write_atomically(study.path / FILE, to_json(found))


def rule(
    study: StudyDirectory, batch: Sequence[Trial]
) -> Callable[[int, Mapping[str, Any]], bool] | None:
    """Returns what `training.run_group` is to prune by; None where nothing is pruned.

    Args:
      study: the directory.
      batch: trials of its plan that train in step.
    """
    path = study.path / FILE
    if (found := stored.read_if_there(path)) is None:
        return None

    def prune(number: int, record: Mapping[str, Any]) -> bool:
        of_arm = stored.expect(path, found, batch[number].arm, dict, {})
        bound = stored.expect(path, of_arm, str(record["epoch"]), int | float, math.inf)
        return record["validation_loss"] > bound

    return prune
