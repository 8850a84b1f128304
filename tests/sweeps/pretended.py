# SPDX-License-Identifier: Apache-2.0
"""Searches without training: trials whose losses a formula gives, in no time."""

import math

from dropout_jax.config import canonical, defaults
from dropout_jax.config.loading import override
from dropout_jax.sweeps import StudyDirectory, halving
from dropout_jax.sweeps.distributions import choice, log_uniform, uniform
from dropout_jax.sweeps.search import Search, begin
from dropout_jax.sweeps.searching import go_on
from dropout_jax.sweeps.space import arms_of
from dropout_jax.sweeps.study import remaining
from dropout_jax.sweeps.winners import winners

EPOCHS = 9
BASE = override(
    defaults(), {"data.name": "synthetic", "seed": 1000, "train.epochs": EPOCHS}
)
RATE = log_uniform(1e-4, 1e-1)
SPACE = {
    "none": {"optimizer.learning_rate": RATE},
    "dropout": {
        "noise.kind": "dropout",
        "noise.rates": (uniform(0.0, 0.8), uniform(0.0, 0.8)),
        "optimizer.learning_rate": RATE,
        "model.widths": choice((64, 64), (256, 256)),
    },
}


def make(trials=6, at_once=1, sampler="tpe", space=SPACE, reduction=3, base=BASE):
    first = max(1, EPOCHS // max(1, reduction) ** 2)  # two rungs
    rungs = halving.rungs(EPOCHS, reduction, first)
    arms = arms_of(space, base)
    return Search(
        "pretended", canonical(base), arms, sampler, trials, at_once, rungs, reduction
    )


def loss(trial):
    """Least at a learning rate of .003 and, if there is dropout, at rates of .2."""
    values = trial.values
    found = 0.3 + 0.1 * math.log10(values["optimizer"]["learning_rate"] / 0.003) ** 2
    return found + sum((rate - 0.2) ** 2 for rate in values["noise"]["rates"])


def result(status="done", **changed):
    """What a run ends with, as result.json has it."""
    numbers = {"accuracy": 0.5, "nll": 1.0, "ece": 0.1, "brier": 0.5}
    found = {
        "status": status,
        "reason": "loss is not finite",
        "epochs": EPOCHS,
        "best_epoch": 1,
        "images_per_second": 1.0,
        "seconds": 1.0,
        "validation": numbers,
        "test": numbers,
    }
    return found | changed


def outcome(study, trial, **changed):
    """What the trial ends with, pruned where its rule says so: a ledger's line."""
    prune, seen, status = halving.rule(study, [trial]), [], "done"
    for epoch in range(1, EPOCHS + 1):
        seen.append(round(loss(trial) + 1 / epoch, 5))
        record = {"epoch": epoch, "validation_loss": loss(trial) + 1 / epoch}
        if epoch < EPOCHS and prune and prune(0, record):
            status = "pruned"
            break
    found = result(status)
    validation = {"nll": seen[-1], "accuracy": round(1 - loss(trial), 3)}
    found["validation"] = found["validation"] | validation
    found |= changed
    del found["test"]
    history = {"epoch": list(range(1, len(seen) + 1)), "validation_loss": seen}
    return {
        "trial": trial.id,
        "arm": trial.arm,
        "seed": trial.seed,
        "config": trial.values,
        "result": found,
        "history": history,
    }


class Killed(Exception):
    """The process is gone."""


class Pretender:
    """Executes trials; killed after `life` of them."""

    def __init__(self, study, life=math.inf, order=list, **changed):
        self.study, self.life, self.order, self.changed = study, life, order, changed
        self.batches = []

    def __call__(self, trials, minutes):
        self.batches.append([trial.id for trial in trials])
        for trial in self.order(remaining(self.study, trials)):
            if not self.life:
                raise Killed
            self.life -= 1
            line = outcome(self.study, trial, **self.changed)
            self.study.ledger.append(line)


def do(path, search, console, **options):
    """Runs a search, or goes on with it; returns study and executor."""
    study = StudyDirectory(path, options.pop("ledger", ""))
    begin(study, search)
    pretender = Pretender(study, **options)
    go_on(study, search, pretender, console=console)
    return study, pretender


def found(study, search):
    """All that is to be the same: plan, ends, bounds, winners."""
    lines = study.ledger.by_trial()
    trials = study.trials()
    ends = {trial.id: lines[trial.id]["result"]["status"] for trial in trials}
    bounds = (study.path / halving.FILE).read_text()
    return [trial.id for trial in trials], ends, bounds, winners(study, search)
