# SPDX-License-Identifier: Apache-2.0
"""The host loop of one run: chunks, epochs, checkpoints, and the test at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dropout_jax.config.errors import Interrupted
from dropout_jax.evaluation import metrics
from dropout_jax.nn import sparsity
from dropout_jax.training import checkpoints, environment, run_directory
from dropout_jax.training.events import EventWriter
from dropout_jax.training.interruption import StopRequest
from dropout_jax.training.optimizers import is_noise, make_schedule
from dropout_jax.training.prepare import Prepared
from dropout_jax.training.progress import TerminalProgress, describe_result
from dropout_jax.training.run_directory import RunDirectory

CHUNK_SECONDS = 1.0  # a chunk this long keeps the display alive and Ctrl-C prompt
CLEAN_TRAIN_EXAMPLES = 5_000  # as many as validate: the gap compares like with like


class Loop:
    """The host loop of one run; all numbers that matter live in `state` and `host`."""

    def __init__(
        self,
        config: Any,
        directory: RunDirectory,
        prepared: Prepared,
        progress: TerminalProgress,
        stop: StopRequest,
        prune: Callable[[dict[str, Any]], bool] | None = None,
    ):
        self.config, self.directory = config, directory
        self.dataset, self.programs, self.hparams, self.seed, self.abstract = prepared
        self.progress, self.stop, self.prune = progress, stop, prune
        self.total_steps = config.train.epochs * self.programs.steps_per_epoch
        # What a checkpoint remembers beside the arrays.
        self.host = {
            "metrics_bytes": 0,
            "best_epoch": 0,
            "best_accuracy": -1.0,
            "seconds": 0.0,
        }
        self.images_timed, self.seconds_timed = 0, 0.0

    def train(self) -> dict[str, Any]:
        """Takes all steps that are left; returns what is known without the test set."""
        self.state, self.best = self._start()
        self.state, self.hparams, self.seed = self.programs.place(
            (self.state, self.hparams, self.seed)
        )
        self.directory.write_environment(environment.capture(self.dataset))
        self.directory.set_status(run_directory.RUNNING)
        train_data = self.programs.place(
            (
                jnp.asarray(self.dataset.train_images),
                jnp.asarray(self.dataset.train_labels, jnp.int32),
            )
        )
        per_epoch = self.programs.steps_per_epoch
        step, chunk, order = int(self.state.step), 1, None
        self.progress.start(step, self.config.train.epochs, per_epoch)
        saved_at = time.monotonic()
        with EventWriter(self.directory) as events:
            while step < self.total_steps:
                stop_at = min(step + chunk, (step // per_epoch + 1) * per_epoch)
                started = time.monotonic()
                if order is None or step % per_epoch == 0:
                    order = self.programs.order(self.seed, step // per_epoch)
                    order = self.programs.place(order)
                self.state = self.programs.run_chunk(
                    self.state, self.hparams, self.seed, train_data, order, stop_at
                )
                loss = float(self.state.totals.loss)  # waits for the device
                seconds = time.monotonic() - started
                self.host["seconds"] += seconds
                if not np.isfinite(loss):
                    return self._diverged(step, stop_at)
                if chunk > 1:  # the first chunk, of one step, pays for the compiler
                    self.images_timed += (stop_at - step) * self.config.train.batch_size
                    self.seconds_timed += seconds
                    rate = (stop_at - step) / seconds
                    chunk = max(2, min(per_epoch, round(CHUNK_SECONDS * rate)))
                else:
                    chunk = 8
                step = stop_at
                self.progress.advance(step, self._images_per_second())
                if step % per_epoch == 0:
                    record = self._finish_epoch(step // per_epoch)
                    if record is None:
                        return self._diverged(step - per_epoch, step)
                    events.write(record)
                    if step < self.total_steps and self.prune and self.prune(record):
                        return self._finish(run_directory.PRUNED)
                age = time.monotonic() - saved_at
                if self.stop.made or age > self.config.train.checkpoint_seconds:
                    self._save()
                    saved_at = time.monotonic()
                if self.stop.made and step < self.total_steps:
                    raise Interrupted(self.directory.path)
        self._save()
        return self._finish(run_directory.DONE)

    def _start(self) -> tuple[Any, Any]:
        """Returns state and best parameters: new, or from the newest checkpoint."""
        path = self.directory.checkpoints
        restored = checkpoints.restore(path, self.abstract, self.progress.note)
        if restored is None:
            checkpoints.discard_after(path, -1)
            self.directory.truncate_metrics(0)
            state = self.programs.init(self.hparams, self.seed)
            return state, jax.device_get((state.params, state.model_state))
        tree, self.host = restored
        checkpoints.discard_after(path, int(tree["state"].step))
        self.directory.truncate_metrics(self.host["metrics_bytes"])
        self.progress.note(f"resumed at step {int(tree['state'].step):,}")
        return tree["state"], jax.device_get(tree["best"])

    def _save(self) -> None:
        tree = {"state": self.state, "best": self.best}
        step = int(self.state.step)
        checkpoints.save(self.directory.checkpoints, step, tree, self.host)

    def _evaluate(self, parameters: Any, images: Any, labels: Any) -> dict[str, float]:
        logits = self.programs.predict(*parameters, images, self.hparams)
        summary = metrics.summary(logits, jnp.asarray(labels, jnp.int32))
        return {name: float(value) for name, value in summary.items()}

    def _finish_epoch(self, epoch: int) -> dict[str, Any] | None:
        """Evaluates, remembers the best, and writes the epoch's line of metrics.

        None if the last update left weights whose loss is not a number.
        """
        started = time.monotonic()
        steps = self.programs.steps_per_epoch
        current = (self.state.params, self.state.model_state)
        clean = self._evaluate(
            current,
            self.dataset.train_images[:CLEAN_TRAIN_EXAMPLES],
            self.dataset.train_labels[:CLEAN_TRAIN_EXAMPLES],
        )
        validation = self._evaluate(
            current, self.dataset.validation_images, self.dataset.validation_labels
        )
        if not np.isfinite(clean["nll"] + validation["nll"]):
            return None
        improved = validation["accuracy"] > self.host["best_accuracy"]
        if improved or self.config.train.keep == "last":
            self.best = jax.device_get(current)
            self.host["best_epoch"] = epoch
            self.host["best_accuracy"] = validation["accuracy"]
        self.host["seconds"] += time.monotonic() - started
        schedule = make_schedule(self.config, steps)
        last_step = epoch * steps - 1
        record = {
            "epoch": epoch,
            "step": epoch * steps,
            "learning_rate": float(self.hparams.learning_rate * schedule(last_step)),
            "train_loss": float(self.state.totals.loss) / steps,
            "train_accuracy": float(self.state.totals.correct)
            / (steps * self.config.train.batch_size),
            "gradient_norm": float(self.state.totals.gradient_norm) / steps,
            "clean_train_loss": clean["nll"],
            "clean_train_accuracy": clean["accuracy"],
            "validation_loss": validation["nll"],
            "validation_accuracy": validation["accuracy"],
            "noise": self._noise_parameters(),
            "seconds": round(self.host["seconds"], 3),
            "images_per_second": self._images_per_second(),
        }
        self.host["metrics_bytes"] = self.directory.append_metrics(record)
        self.progress.epoch(record)
        return record

    def _noise_parameters(self) -> dict[str, float]:
        """Returns the mean of each learned noise parameter, by path."""
        leaves = jax.tree_util.tree_leaves_with_path(self.state.params)
        return {
            "/".join(str(part.key) for part in path): float(jnp.mean(leaf))
            for path, leaf in leaves
            if is_noise(path)
        }

    def _images_per_second(self) -> float | None:
        """Returns the training speed without compilation and evaluation."""
        if not self.seconds_timed:
            return None
        return round(self.images_timed / self.seconds_timed, 1)

    def _common(self, status: str) -> dict[str, Any]:
        leaves = jax.tree.leaves(self.state.params)
        return {
            "status": status,
            "seed": self.config.seed,
            "best_epoch": self.host["best_epoch"],
            "epochs": self.config.train.epochs,
            "parameters": sum(leaf.size for leaf in leaves),
            "images_per_second": self._images_per_second(),
            "seconds": round(self.host["seconds"], 3),
            "metrics_sha256": self.directory.metrics_sha256(),
        }

    def _diverged(self, first: int, stop_at: int) -> dict[str, Any]:
        reason = f"the loss became NaN or infinite in steps {first} to {stop_at}"
        return {**self._common(run_directory.DIVERGED), "reason": reason}

    def _finish(self, status: str) -> dict[str, Any]:
        validation = self._evaluate(
            self.best, self.dataset.validation_images, self.dataset.validation_labels
        )
        found = {
            **self._common(status),
            "validation": validation,
            **checkpoints.model_digests(*self.best),
        }
        shares = sparsity(self.best[0], self.config.noise.threshold or 3.0)
        return found | ({"sparsity": shares} if shares else {})

    def test(self) -> dict[str, Any]:
        """Returns what the test set says of the kept parameters; called once."""
        labels = jnp.asarray(self.dataset.test_labels, jnp.int32)
        logits = self.programs.predict(
            *self.best, self.dataset.test_images, self.hparams
        )
        summary = metrics.summary(logits, labels)
        reliability = metrics.reliability(logits, labels)
        return {
            "test": {name: float(value) for name, value in summary.items()},
            "test_count": len(labels),
            "reliability": {
                name: np.asarray(value).tolist()
                for name, value in reliability._asdict().items()
            },
        }

    def close(self, values: dict[str, Any]) -> None:
        """Stores and shows what the run found."""
        self.directory.write_result(values)
        self.directory.set_status(values["status"], values.get("reason", ""))
        self.progress.note(describe_result(values))
