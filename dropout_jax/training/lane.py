# SPDX-License-Identifier: Apache-2.0
"""One trial as the host sees it: its directory, the parameters kept, its results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from dropout_jax import stored
from dropout_jax.evaluation import metrics
from dropout_jax.nn import sparsity
from dropout_jax.training import checkpoints, outcome, parts, sets
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
      kept: the parameters that are kept, on the host.
      records: those of metrics.jsonl.
      result: what it found, None while it is at work.
    """

    kept: sets.Sets

    def __init__(
        self,
        config: Any,
        directory: RunDirectory,
        hparams: Hyperparameters,
        sites: Sequence[str],
        remarks: Sequence[str] = (),
    ):
        """Prepares the trial.

        Args:
          config: its configuration.
          directory: its run directory.
          hparams: its traced hyperparameters.
          sites: names of the model's noise sites, the input first.
          remarks: what whoever reads the result should know, one line each.
        """
        self._config, self._hparams, self._sites = config, hparams, list(sites)
        self._remarks = {"remarks": list(remarks)} if remarks else {}
        self.directory = directory
        self.records: list[dict[str, Any]] = []
        self.result: dict[str, Any] | None = None
        self._events: EventWriter | None = None

    @property
    def host(self) -> dict[str, Any]:
        """What a checkpoint stores beside the arrays."""
        return {"records": self.records, "sets": self.kept.host()}

    def begin(self, model: Any) -> None:
        """Begins before the first step, with the initial (params, model_state)."""
        self.kept = sets.begin(jax.device_get(model))
        self._open()

    def resume(self, models: list[Any], host: dict[str, Any]) -> None:
        """Continues from a checkpoint.

        Args:
          models: the parameters in it, as `Sets.models` returned them.
          host: what `host` was when it was saved.
        """
        place = f"checkpoint of {self.directory.path}"
        self.records = _checked(place, host)
        self.kept = sets.restored(place, host["sets"], jax.device_get(models))
        self._open()

    def _open(self) -> None:
        if self.result is not None:  # ended before the group was interrupted
            return
        self.directory.write_metrics(self.records)
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
        """Keeps the best parameters and writes the epoch's line of metrics.

        Args:
          epoch: number of epochs that are finished.
          steps: per epoch.
          state: at its end.
          clean: summary without noise on training examples.
          validation: summary on the validation set.
          speed: so far.

        Returns:
          The line, as a record.
        """
        model = jax.device_get((state.params, state.model_state))
        self.kept = sets.after(self.kept, sets.Kept(epoch, validation, model))
        schedule = make_schedule(self._config, steps)
        rate = self._hparams.learning_rate * schedule(epoch * steps - 1)
        examples = steps * self._config.train.batch_size
        record = {
            "format": stored.FORMAT,
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
        self.records.append(record)
        self.directory.append_metrics(record)
        assert self._events is not None
        self._events.write(record)
        return record

    @property
    def _reported(self) -> str:
        """Name of the set that the result reports outside of `sets`."""
        return sets.OF_KEEP[self._config.train.keep]

    def end(self, status: str, speed: Speed, reason: str = "") -> None:
        """Sets what the trial has found.

        Args:
          status: how it ended. Nothing is said of parameters where it diverged.
          speed: so far.
          reason: why it diverged.
        """
        kept = getattr(self.kept, self._reported)
        leaves = jax.tree.leaves(kept.model[0])
        self.result = {
            "format": stored.FORMAT,
            "seed": self._config.seed,
            "best_epoch": kept.epoch,
            "epochs": self._config.train.epochs,
            "parameters": sum(leaf.size for leaf in leaves),
            "sites": self._sites,
            "images_per_second": speed.images_per_second,
            "seconds": round(speed.seconds, 3),
            "metrics_sha256": outcome.metrics_sha256(self.records),
            "inputs": parts.stretches(self.directory.parts()),
            "status": status,
            **self._remarks,
        }
        if status == outcome.DIVERGED:
            self.result["reason"] = reason
        else:
            self.result |= self._described()
        if self._events is not None:
            self._events.finish()

    def _described(self) -> dict[str, Any]:
        """Returns what is known of the sets without the test set."""
        noise = {record["epoch"]: record["noise"] for record in self.records}
        of_epoch = {}
        for kept in self.kept:
            if kept.epoch in of_epoch:
                continue
            shares = sparsity(kept.model[0], self._config.noise.threshold or 3.0)
            of_epoch[kept.epoch] = {
                "validation": kept.validation,
                **checkpoints.model_digests(*kept.model),
                **({"sparsity": shares} if shares else {}),
            }
        found = {
            name: {
                "epoch": kept.epoch,
                "noise": noise.get(kept.epoch, {}),
                **of_epoch[kept.epoch],
            }
            for name, kept in self.kept._asdict().items()
        }
        return {**of_epoch[getattr(self.kept, self._reported).epoch], "sets": found}

    def tested(self, epoch: int, evaluation: metrics.Evaluation) -> None:
        """Adds what the test set says of the parameters of an epoch.

        Args:
          epoch: called once for each that is kept.
          evaluation: on all test images, without noise.
        """
        bins = {k: v.tolist() for k, v in evaluation.reliability._asdict().items()}
        found = {"test": numbers(evaluation.summary), "reliability": bins}
        assert self.result is not None
        for name, kept in self.kept._asdict().items():
            if kept.epoch != epoch:
                continue
            self.result["sets"][name] |= found
            if name == self._reported:
                self.result |= {**found, "test_count": sum(bins["count"])}

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


def _checked(place: object, host: Any) -> list[dict[str, Any]]:
    """Returns the records in a checkpoint, if they are of the shape that is read."""
    records = stored.expect(place, host, "records", list)
    for record in records:
        outcome.check_record(place, record)
    return records


def numbers(summary: dict[str, Any]) -> dict[str, float]:
    """Returns metrics as plain numbers."""
    return {name: float(value) for name, value in summary.items()}


def _noise_parameters(params: Any) -> dict[str, float]:
    """Returns the mean of each learned noise parameter, by path."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {
        "/".join(str(part.key) for part in path): float(jnp.mean(leaf))
        for path, leaf in leaves
        if is_noise(path)
    }
