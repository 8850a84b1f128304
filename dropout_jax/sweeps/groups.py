# SPDX-License-Identifier: Apache-2.0
"""Which trials of a study share one compiled program."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from dropout_jax.sweeps.trials import Trial
from dropout_jax.training.hyperparameters import static_signature


def by_program(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Returns the trials in groups that differ in traced values and seeds alone.

    A group trains with one program on one data set: a sweep over rates, decay,
    learning rates and seeds is a single group.

    Args:
      trials: of one study.

    Returns:
      The groups in the order of their first trials; within a group the order stays.

    Example:
      >>> from dropout_jax.config import defaults
      >>> from dropout_jax.sweeps import plan
      >>> wide = {"arm": "wide", "model.widths": (512,)}
      >>> decay = {"arm": "decay", "regularizer.weight_decay": 0.01}
      >>> trials = plan("s", defaults(), [{"arm": "none"}, wide, decay])
      >>> [[trial.arm for trial in group] for group in by_program(trials)]
      [['none', 'decay'], ['wide']]
    """

    def program(trial: Trial) -> Hashable:
        data = trial.values["data"]
        return static_signature(trial.values), data["name"], data["source_dir"]

    return _grouped(trials, program)


def _by_images(trials: Iterable[Trial]) -> list[list[Trial]]:
    """Returns the trials of one program that train and validate on the same images."""

    def images(trial: Trial) -> Hashable:
        data = trial.values["data"]
        split = data["split"]
        return split, data["validation_size"], trial.seed if split == "drawn" else None

    return _grouped(trials, images)


def _grouped(
    trials: Iterable[Trial], key: Callable[[Trial], Hashable]
) -> list[list[Trial]]:
    groups: dict[Hashable, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(key(trial), []).append(trial)
    return list(groups.values())


def batches(trials: Sequence[Trial], lanes: int) -> list[list[Trial]]:
    """Returns the trials in batches that train in step, on the same images.

    Args:
      trials: of one study, those of the whole plan: a batch must not depend on what
        is finished already, or its checkpoint would not be found again.
      lanes: largest number of trials in a batch.

    Returns:
      The batches in the order of their first trials.

    Example:
      >>> from dropout_jax.config import defaults
      >>> from dropout_jax.sweeps import plan
      >>> sweep = [{"arm": "none", "seed": seed} for seed in range(5)]
      >>> trials = plan("seeds", defaults(), sweep)
      >>> [[trial.seed for trial in batch] for batch in batches(trials, 2)]
      [[0, 1], [2, 3], [4]]
    """
    if lanes == 1:
        return [[trial] for trial in trials]
    place = {trial.id: number for number, trial in enumerate(trials)}
    found = [
        group[start : start + lanes]
        for program in by_program(trials)
        for group in _by_images(program)
        for start in range(0, len(group), lanes)
    ]
    return sorted(found, key=lambda batch: place[batch[0].id])
