# SPDX-License-Identifier: Apache-2.0
"""What experiments train: a study of the usual machinery, and a look at its models.

The results of an experiment's trials are in results/evidence/NAME.jsonl, a ledger like
any other, and what was looked up in the trained models in NAME_models.jsonl beside it:
in each by itself, or in all of an arm together, as an ensemble needs it.
The runs themselves are in runs/evidence; in quick form everything is in build/evidence.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dropout_jax import stored
from dropout_jax.config.causes import writing
from dropout_jax.config.errors import UserError
from dropout_jax.sweeps import (
    StudyDirectory,
    Trial,
    inputs,
    plan,
    run_local,
    unfinished,
)
from dropout_jax.sweeps.kept import keep
from dropout_jax.sweeps.local import divide
from dropout_jax.training import load_run
from dropout_jax.training.load import LoadedRun
from experiments import evidence

# What JSON knows of a trained model, or of all models of an arm.
Look = Callable[[LoadedRun], Mapping[str, Any]]
LookAtArm = Callable[[list[LoadedRun]], Mapping[str, Any]]


class Trained(NamedTuple):
    """A finished trial.

    Attributes:
      arm: its arm.
      seed: its seed.
      line: its line of the ledger: configuration, result, history.
      model: what was looked up in its model.
      models: what was looked up in all models of its arm.
    """

    arm: str
    seed: int
    line: dict[str, Any]
    model: dict[str, Any]
    models: dict[str, Any]

    @property
    def test(self) -> dict[str, float]:
        """Test metrics of the best epoch by validation."""
        return self.line["result"]["test"]


def train(
    name: str,
    base: Any,
    sweep: Iterable[Mapping[str, Any]],
    *,
    quick: bool,
    look: Look | None = None,
    look_at_arm: LookAtArm | None = None,
) -> list[Trained]:
    """Runs what is missing of an experiment's trials; returns all, in their order.

    Args:
      name: of the experiment.
      base: configuration that all trials start from.
      sweep: for each trial the fields to override, and its `arm`.
      quick: whether nothing published is read or written.
      look: looks up in a trained model what the ledger has not.
      look_at_arm: the same in all models of an arm, in the order of their trials.

    Raises:
      UserError: a trial is invalid, or was given up.
      Interrupted: Ctrl-C or SIGTERM; the same call goes on.
    """
    trials = plan(name, base, sweep)
    results = evidence.results(quick=quick)
    results.mkdir(parents=True, exist_ok=True)
    runs = evidence.ROOT / ("build" if quick else "runs") / "evidence" / name
    study = StudyDirectory(runs, results / f"{name}.jsonl")
    if missing := unfinished(study, trials):
        inputs.check(study, trials)  # before the plan is written
        study.extend(trials)
        if look is not None or look_at_arm is not None:
            keep(study)
        divided, _ = divide(study, len(missing))
        workers, threads = divided.workers, divided.threads
        run_local(study, trials, workers=workers, threads=threads)
    inputs.refuse_mixed(study, trials)
    if given_up := study.given_up():
        raise UserError(f"{name}: {len(given_up)} trials were given up; see {runs}")
    lines = study.ledger.by_trial()
    arms = {t.arm: [one for one in trials if one.arm == t.arm] for t in trials}
    alone = None if look is None else lambda runs: look(*runs)
    seen = Seen(results / f"{name}_models.jsonl", study)
    return [
        Trained(
            trial.arm,
            trial.seed,
            lines[trial.id],
            seen.at([trial], alone, called(look)),
            seen.at(arms[trial.arm], look_at_arm, called(look_at_arm)),
        )
        for trial in trials
    ]


class Seen:
    """What was looked up in trained models; nothing is looked up twice.

    Known by the trials, by the look's name and options, and by the parameters that
    were looked at, where the entry has their SHA-256: whoever changes what a look does
    gives it another name, or deletes the file.
    """

    def __init__(self, path: Path, study: StudyDirectory):
        self._path, self._study = path, study
        self._known: dict[tuple[str, ...], dict[str, Any]] = {}
        for text in stored.whole_lines(stored.written(path) or b""):
            entry = stored.record(text, path)
            key = (entry.pop("look"), *entry.pop("trials"))
            of = entry.pop("parameters_sha256", None)
            if of in (None, self._parameters(key[1:])):
                self._known[key] = entry

    def at(
        self, trials: list[Trial], look: LookAtArm | None, name: str
    ) -> dict[str, Any]:
        """Returns what is seen in some trials' models, now or earlier."""
        if look is None:
            return {}
        ids = tuple(trial.id for trial in trials)
        if (name, *ids) not in self._known:
            places = [self._study.run_directory(trial) for trial in trials]
            found = dict(look([load_run(place) for place in places]))
            of = {"parameters_sha256": self._parameters(ids)}
            line = json.dumps({"look": name, "trials": ids, **of, **found})
            with writing(self._path, len(line)), self._path.open("a") as file:
                file.write(f"{line}\n")
            self._known[name, *ids] = found
        return self._known[name, *ids]

    def _parameters(self, ids: Sequence[str]) -> list[str | None]:
        """Returns the SHA-256 of the tested parameters of trials in the ledger."""
        lines = self._study.ledger.by_trial()
        results = [lines.get(id_, {}).get("result", {}) for id_ in ids]
        return [result.get("parameters_sha256") for result in results]


def called(look: Callable[..., Any] | None) -> str:
    """Returns the name of a look, with the options that it was given."""
    if isinstance(look, functools.partial):
        options = ", ".join(f"{k}={v!r}" for k, v in sorted(look.keywords.items()))
        return f"{called(look.func)}({options})"
    return "" if look is None else look.__name__


def mlp(epochs: int, *, quick: bool) -> dict[str, Any]:
    """Returns the fields of the MLP 784-256-256-10 on all images, or quickly on few."""
    return {
        "model.widths": (256, 256),
        "train.epochs": 2 if quick else epochs,
        "data.train_size": 2_000 if quick else 55_000,
    }


def by_arm(
    trained: Iterable[Trained], value: Callable[[Trained], float]
) -> dict[str, list[float]]:
    """Returns one number per trial, those of an arm together, in the order of seeds."""
    found: dict[str, dict[int, float]] = {}
    for one in trained:
        found.setdefault(one.arm, {})[one.seed] = value(one)
    return {arm: [of[seed] for seed in sorted(of)] for arm, of in found.items()}
