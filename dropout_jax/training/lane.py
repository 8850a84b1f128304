# SPDX-License-Identifier: Apache-2.0
"""One trial as the host sees it: its directory, its best parameters, its results."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dropout_jax import stored
from dropout_jax.evaluation import metrics
from dropout_jax.nn import sparsity
from dropout_jax.training import checkpoints, outcome, parts
from dropout_jax.training.events import EventWriter
from dropout_jax.training.hyperparameters import Hyperparameters
from dropout_jax.training.optimizers import is_noise, make_schedule
from dropout_jax.training.run_directory import RunDirectory
from dropout_jax.training.step import TrainState


class Speed(NamedTuple):
    """How fast a group has trained so far.

    Attributes:
      seconds: of training and evaluation, a trial's share of them.
      images_per_second: of all trials together, without compilation and evaluation;
        None while that is all there was.
    """

    seconds: float
    images_per_second: float | None


class Lane:
    """The host's side of one trial.

    Attributes:
      directory: its run directory, open.
      best: parameters and batch statistics of the kept epoch, on the host.
      host: what a checkpoint remembers beside the arrays.
      result: what it found, None while it is at work.
    """

    def __init__(self, config: Any, directory: RunDirectory, hparams: Hyperparameters):
        self._config, self._hparams = config, hparams
        self.directory = directory
        self.best: Any = None
        self.host = {"records": [], "best_epoch": 0, "best_accuracy": -1.0}
        self.result: dict[str, Any] | None = None
        self._events: EventWriter | None = None

    def resume(self, best: Any, host: dict[str, Any] | None) -> None:
        """Begins with `best`, or goes on from what a checkpoint remembers."""
        self.best = jax.device_get(best)
        if host is not None:
            self.host = _checked(self.directory, host)
        if self.result is not None:  # ended before the group was interrupted
            return
        self.directory.write_metrics(self.host["records"])
        self.directory.set_status(outcome.RUNNING)
        self._events = EventWriter(self.directory)

    def finish_epoch(
        self,
        epoch: int,
        steps: int,
        state: TrainState,
        clean: dict[str, float],
        validation: dict[str, float],
        speed: Speed,
    ) -> dict[str, Any]:
        """Remembers the best and writes the epoch's line of metrics; returns it.

        Args:
          epoch: number of epochs that are finished.
          steps: per epoch.
          state: at its end.
          clean: summary without noise on training examples.
          validation: summary on the validation set.
          speed: so far.
        """
        improved = validation["accuracy"] > self.host["best_accuracy"]
        if improved or self._config.train.keep == "last":
            self.best = jax.device_get((state.params, state.model_state))
            self.host["best_epoch"] = epoch
            self.host["best_accuracy"] = validation["accuracy"]
        schedule = make_schedule(self._config, steps)
        rate = self._hparams.learning_rate * schedule(epoch * steps - 1)
        examples = steps * self._config.train.batch_size
        record = {
            "epoch": epoch,
            "step": epoch * steps,
            "learning_rate": float(rate),
            "train_loss": float(state.totals.loss) / steps,
            "train_accuracy": float(state.totals.correct) / examples,
            "gradient_norm": float(state.totals.gradient_norm) / steps,
            "clean_train_loss": clean["nll"],
            "clean_train_accuracy": clean["accuracy"],
            "validation_loss": validation["nll"],
            "validation_accuracy": validation["accuracy"],
            "noise": _noise_parameters(state.params),
            "seconds": round(speed.seconds, 3),
            "images_per_second": speed.images_per_second,
        }
        self.host["records"].append(record)
        self.directory.append_metrics(record)
        assert self._events is not None
        self._events.write(record)
        return record

    def end(self, found: dict[str, Any], speed: Speed) -> None:
        """Sets what the trial has found.

        Args:
          found: its status, and what is known beside it.
          speed: so far.
        """
        leaves = jax.tree.leaves(self.best[0])
        self.result = {
            "seed": self._config.seed,
            "best_epoch": self.host["best_epoch"],
            "epochs": self._config.train.epochs,
            "parameters": sum(leaf.size for leaf in leaves),
            "images_per_second": speed.images_per_second,
            "seconds": round(speed.seconds, 3),
            "metrics_sha256": outcome.metrics_sha256(self.host["records"]),
            "inputs": parts.stretches(self.directory.parts()),
            **found,
        }
        if self._events is not None:
            self._events.finish()

    def validated(self, status: str, validation: dict[str, float]) -> dict[str, Any]:
        """Returns what is known of a trial that has not diverged, for `end`."""
        shares = sparsity(self.best[0], self._config.noise.threshold or 3.0)
        return {
            "status": status,
            "validation": validation,
            **checkpoints.model_digests(*self.best),
            **({"sparsity": shares} if shares else {}),
        }

    def tested(self, logits: Any, labels: Any) -> None:
        """Adds what the test set says of the kept parameters; called once."""
        labels = jnp.asarray(labels, jnp.int32)
        reliability = metrics.reliability(logits, labels)
        assert self.result is not None
        self.result |= {
            "test": summary(logits, labels),
            "test_count": len(labels),
            "reliability": {
                name: np.asarray(value).tolist()
                for name, value in reliability._asdict().items()
            },
        }

    def close(self) -> None:
        """Closes its files, whether it has ended or not."""
        if self._events is not None:
            self._events.close()

    def store(self) -> None:
        """Writes result and status, after which the trial is finished."""
        assert self.result is not None
        self.directory.write_result(self.result)
        status = self.result["status"]
        self.directory.set_status(status, self.result.get("reason", ""))


def _checked(directory: RunDirectory, host: Any) -> dict[str, Any]:
    """Returns what a checkpoint remembers, if it is of the shape that is read here."""
    place = f"checkpoint of {directory.path}"
    records = stored.expect(place, host, "records", list)
    for record in records:
        outcome.check_record(place, record)
    return {
        "records": records,
        "best_epoch": stored.expect(place, host, "best_epoch", int),
        "best_accuracy": stored.expect(place, host, "best_accuracy", int | float),
    }


def summary(logits: Any, labels: Any) -> dict[str, float]:
    """Returns the metrics of logits as plain numbers."""
    found = metrics.summary(logits, jnp.asarray(labels, jnp.int32))
    return {name: float(value) for name, value in found.items()}


def _noise_parameters(params: Any) -> dict[str, float]:
    """Returns the mean of each learned noise parameter, by path."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {
        "/".join(str(part.key) for part in path): float(jnp.mean(leaf))
        for path, leaf in leaves
        if is_noise(path)
    }
