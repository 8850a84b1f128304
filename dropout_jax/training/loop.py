# SPDX-License-Identifier: Apache-2.0
"""The host loop of a group of trials: chunks, epochs, checkpoints, and the test."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from dropout_jax import stored
from dropout_jax.config.errors import Interrupted
from dropout_jax.data import Dataset, stratified
from dropout_jax.training import checkpoints, outcome, parts
from dropout_jax.training.engine import Engine
from dropout_jax.training.interruption import StopRequest
from dropout_jax.training.lane import Lane, Speed, numbers
from dropout_jax.training.progress import TerminalProgress
from dropout_jax.training.validations import validated_epochs

CHUNK_SECONDS = 1.0  # a chunk this long keeps the display alive and Ctrl-C prompt
# Of training images without noise. As many as validate would double the cost of a
# validation; with 1,000 the standard error is a point where a tenth is wrong, and seeds
# and methods share the images.
CLEAN_TRAIN_EXAMPLES = 1_000

# Called with a trial's number in the group and each of its records; True ends it.
Prune = Callable[[int, dict[str, Any]], bool]


class Loop:
    """Trains the trials of a group in step; a single run is a group of one.

    The trials share data, program and number of steps. One that has diverged or was
    pruned is computed on with its neighbours, whose numbers do not depend on it, and
    writes nothing any more.
    """

    def __init__(
        self,
        train: Any,
        steps_per_epoch: int,
        dataset: Dataset,
        engine: Engine,
        trials: Sequence[Lane],
        saved: Path,
        shapes: checkpoints.Shapes,
        progress: TerminalProgress,
        stop: StopRequest,
        part: parts.Part,
        prune: Prune | None = None,
    ):
        """Prepares the loop.

        Args:
          train: the group `config.train`, which the trials share.
          steps_per_epoch: optimiser steps per epoch.
          dataset: what they train on.
          engine: advances them.
          trials: the host's side of each.
          saved: directory of the checkpoints.
          shapes: of a checkpoint's tree.
          progress: shows the group.
          stop: whether someone asked it to stop.
          part: with what and where the group goes on; its step is set here.
          prune: see `Prune`.
        """
        self.train_config, self.steps = train, steps_per_epoch
        self.dataset, self.engine, self.trials = dataset, engine, trials
        self.saved, self.shapes = saved, shapes
        self.progress, self.stop, self.prune = progress, stop, prune
        self.part = part
        self.total_steps = train.epochs * steps_per_epoch
        places = validated_epochs(train.epochs, train.validations)
        self._validations = [epoch * steps_per_epoch for epoch in places]
        self.seconds = 0.0
        self.images_timed, self.seconds_timed = 0, 0.0

    @property
    def at_work(self) -> list[tuple[int, Lane]]:
        """The trials that have no result yet, with their lanes."""
        return [(i, t) for i, t in enumerate(self.trials) if t.result is None]

    def train(self) -> None:
        """Takes all steps that are left; every trial has a result then."""
        self.states = self.engine.place(self._start())
        step = self.step()
        self._begin_part({**self.part, "step": step})
        found, size = self.dataset, CLEAN_TRAIN_EXAMPLES
        data = self._placed(*found.part("train"))
        self._watched = [
            self._placed(*stratified.some(found, "train", size)),
            self._placed(*found.part("validation")),
        ]
        chunk = 1
        self._end_diverged(step, step)  # a lane's result may have been lost since
        self.progress.start(step, self.train_config.epochs, self.steps)
        saved_at = time.monotonic()
        while step < self.total_steps:
            validation = next(end for end in self._validations if end > step)
            stop_at = min(step + chunk, validation)
            started = time.monotonic()
            self.states = self.engine.run(self.states, data, step, stop_at)
            self._end_diverged(step, stop_at)  # waits for the device
            seconds = time.monotonic() - started
            self.seconds += seconds
            if not self.at_work:
                break
            chunk = self._next_chunk(chunk, stop_at - step, seconds)
            step = stop_at
            self.progress.advance(step, self.speed().images_per_second)
            if step == validation:
                self._finish_epoch(step // self.steps)
            if not self.at_work:
                break
            asked = self.stop.made  # once: who is not saved must not be told so
            age = time.monotonic() - saved_at
            if asked or age > self.train_config.checkpoint_seconds:
                self._save()
                saved_at = time.monotonic()
            if asked and step < self.total_steps:
                raise Interrupted(self.saved.parent, self.stop.number)
        self._finish()

    def _begin_part(self, part: parts.Part) -> None:
        """Writes down with what and where the steps from here on are computed."""
        for trial in [trial for _, trial in self.at_work]:
            before = trial.directory.add_part(part)
            if trial is self.at_work[0][1] and before is not None:
                if changed := parts.changed(before, part):
                    self.progress.note(f"{changed}: numbers may differ by rounding")

    def step(self) -> int:
        """Returns the number of steps taken."""
        return int(self.engine.lane(self.states.step, 0))

    def speed(self) -> Speed:
        """Returns how fast the group has been."""
        speed = None
        if self.seconds_timed:
            speed = round(self.images_timed / self.seconds_timed, 1)
        return Speed(self.seconds / len(self.trials), speed)

    def _next_chunk(self, chunk: int, steps: int, seconds: float) -> int:
        """Returns how many steps to take next, after `steps` in `seconds`."""
        if chunk == 1:  # the first chunk, of one step, pays for the compiler
            return 8
        images = steps * self.train_config.batch_size * len(self.trials)
        self.images_timed += images
        self.seconds_timed += seconds
        return max(2, round(CHUNK_SECONDS * steps / seconds))

    def _start(self) -> Any:
        """Returns the states: new, or from the newest checkpoint."""
        restored = checkpoints.restore(self.saved, self.shapes, self.progress.note)
        if restored is None:
            checkpoints.discard_after(self.saved, -1)
            states = self.engine.init()
            for i, trial in enumerate(self.trials):
                state = self.engine.lane(states, i)
                trial.begin((state.params, state.model_state))
            return states
        tree, host = restored
        states = tree["state"]
        self.seconds = stored.expect(self.saved, host, "seconds", int | float)
        step = int(self.engine.lane(states.step, 0))
        checkpoints.discard_after(self.saved, step)
        self.progress.note(f"resumed at step {step:,}")
        each = zip(self.trials, tree["models"], host["lanes"], strict=True)
        for trial, models, saved in each:
            trial.resume(models, saved)
        return states

    def _save(self) -> None:
        models = [list(trial.kept.models().values()) for trial in self.trials]
        tree = {"state": self.states, "models": models}
        host = {
            "seconds": self.seconds,
            "lanes": [trial.host for trial in self.trials],
            "inputs": self.part["inputs"],  # should env.json be lost
        }
        checkpoints.save(self.saved, self.step(), tree, host)

    def _placed(self, images: Any, labels: Any) -> Any:
        """Returns images and labels on the device, where they stay."""
        return self.engine.place((jnp.asarray(images), jnp.asarray(labels, jnp.int32)))

    def _end_diverged(self, first: int, stop_at: int) -> None:
        for i, trial in self.at_work:
            totals = self.engine.lane(self.states.totals, i)
            if not np.isfinite(float(totals.loss + totals.gradient_norm)):
                self._diverged(trial, first, stop_at)

    def _diverged(self, trial: Lane, first: int, stop_at: int) -> None:
        reason = (
            "the loss or its gradient became NaN or infinite in steps "
            f"{first} to {stop_at}"
        )
        trial.end(outcome.DIVERGED, self.speed(), reason)
        trial.store()

    def _finish_epoch(self, epoch: int) -> None:
        """Validates all trials, each of which writes its line of metrics."""
        started = time.monotonic()
        states = [self.engine.lane(self.states, i) for i in range(len(self.trials))]
        parameters = [(state.params, state.model_state) for state in states]
        found = self.engine.evaluate(parameters, self._watched)
        self.seconds += time.monotonic() - started
        records = []
        for i, trial in self.at_work:
            watched = found[i]
            assert watched is not None  # every lane has parameters
            clean, validation = (numbers(one.summary) for one in watched)
            if not np.isfinite(clean["nll"] + validation["nll"]):
                # The last update left weights whose loss is not a number.
                self._diverged(trial, (epoch - 1) * self.steps, epoch * self.steps)
                continue
            told = clean, validation, self.speed()
            records.append(trial.finish_epoch(epoch, self.steps, states[i], *told))
            last = epoch == self.train_config.epochs
            if not last and self.prune is not None and self.prune(i, records[-1]):
                trial.end(outcome.PRUNED, self.speed())
                trial.store()
        if records:
            self.progress.epoch(max(records, key=lambda r: r["validation_accuracy"]))

    def _finish(self) -> None:
        """Saves, and ends what is still at work."""
        if not self.at_work:
            return
        self._save()
        for _, trial in self.at_work:
            trial.end(outcome.DONE, self.speed())

    def test(self) -> None:
        """Looks at the test set, with each set of parameters of what is done.

        Sets of one epoch are looked at together.
        """
        found = self.dataset
        images = self._placed(found.test_images, found.test_labels)
        to_test = [
            list(trial.kept.models().items()) if _untested(trial) else []
            for trial in self.trials
        ]
        for place in range(max(map(len, to_test))):
            kept = [of[place] if place < len(of) else (0, None) for of in to_test]
            evaluated = self.engine.evaluate([model for _, model in kept], [images])
            for trial, (epoch, _), found in zip(
                self.trials, kept, evaluated, strict=True
            ):
                if found is not None:
                    trial.tested(epoch, found[0])


def _untested(trial: Lane) -> bool:
    """Whether a trial is done and its parameters have not been tested."""
    result = trial.result or {}
    return result.get("status") == outcome.DONE and "test" not in result
