# SPDX-License-Identifier: Apache-2.0
"""What advances the trials of a group: one alone, or several as lanes together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from dropout_jax.evaluation import metrics
from dropout_jax.training.hyperparameters import Hyperparameters
from dropout_jax.training.lanes import lane, lanes, stack
from dropout_jax.training.programs import Programs
from dropout_jax.training.step import TrainState


class Engine:
    """Advances all trials of a group at once.

    The states of several trials are stacked, a lane for each; that of a single one is
    as it is. Lanes take turns on CPU, where each computes what a run of its own does,
    and go together elsewhere (`lanes`).
    """

    def __init__(
        self,
        programs: Programs,
        hparams: Sequence[Hyperparameters],
        seeds: Sequence[jax.Array],
        together: bool | None = None,
    ):
        """Prepares the group.

        Args:
          programs: that the trials share.
          hparams: traced hyperparameters of each.
          seeds: of each.
          together: as for `lanes`.
        """
        if together is None:
            together = jax.default_backend() != "cpu"
        self._programs, self._trials = programs, list(zip(hparams, seeds, strict=True))
        self._alone = len(self._trials) == 1
        self._run, self._evaluate = programs.run_chunk, None
        if not self._alone:
            self._run = lanes(programs, together=together)
        if together and not self._alone:
            axes = (0, 0, None, 0)
            self._evaluate = jax.jit(jax.vmap(programs.evaluate, in_axes=axes))
        self._hparams = self.place(self._join(hparams))
        self._seeds = self.place(self._join(seeds))
        self._epoch, self._orders = -1, None

    def _join(self, trees: Sequence[Any]) -> Any:
        return trees[0] if self._alone else stack(trees)

    def init(self) -> TrainState:
        """Returns the states before the first step."""
        # One by one: batched LAPACK calls can deadlock on CPU.
        return self._join([self._programs.init(*trial) for trial in self._trials])

    def run(self, states: TrainState, data: Any, start: int, stop: int) -> TrainState:
        """Returns the states at step `stop`.

        Args:
          states: of all trials; used up.
          data: images and labels, placed.
          start: number of steps taken.
          stop: number of steps taken by then.
        """
        epoch = start // self._programs.steps_per_epoch
        if self._epoch != epoch:
            orders = [self._programs.order(seed, epoch) for _, seed in self._trials]
            self._epoch, self._orders = epoch, self.place(self._join(orders))
        arguments = (states, self._hparams, self._seeds, data, self._orders, stop)
        return self._run(*arguments)

    def lane(self, tree: Any, index: int) -> Any:
        """Returns one trial's part of the states, or of a tree in them."""
        return tree if self._alone else lane(tree, index)

    def evaluate(
        self, parameters: Sequence[Any], splits: Sequence[Any]
    ) -> list[list[metrics.Evaluation] | None]:
        """Returns what each trial's parameters are worth, None where it has none.

        Args:
          parameters: (params, model_state) of each; None for a trial left out.
          splits: (images, labels) of each set of images, placed, the same for all.

        Returns:
          For each trial one `Evaluation` per split, on the host.
        """
        wanted = [found for found in parameters if found is not None]
        if self._evaluate is not None and wanted:
            filled = [wanted[0] if found is None else found for found in parameters]
            stacked = self._evaluate(*stack(filled), splits, self._hparams)
            stacked = jax.device_get(stacked)
            each = [lane(stacked, index) for index in range(len(parameters))]
        else:
            each = [
                found and self._programs.evaluate(*found, splits, hparams)
                for found, (hparams, _) in zip(parameters, self._trials, strict=True)
            ]
        return [
            None if given is None else jax.device_get(found)
            for given, found in zip(parameters, each, strict=True)
        ]

    def place(self, tree: Any) -> Any:
        """Returns a tree as the devices need it."""
        return self._programs.place(tree)
