# SPDX-License-Identifier: Apache-2.0
"""What a search found: the best setting of each arm, by validation alone."""

from __future__ import annotations

import dataclasses
from collections import ChainMap, Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from dropout_jax.files import to_json, write_atomically
from dropout_jax.sweeps import inputs
from dropout_jax.sweeps.search import Search
from dropout_jax.sweeps.space import Arm
from dropout_jax.sweeps.status import STATES, states
from dropout_jax.sweeps.study import StudyDirectory, remaining
from dropout_jax.sweeps.trials import Trial
from dropout_jax.terminal import Grid, say

FILE = "winners.json"


@dataclasses.dataclass(frozen=True)
class Winner:
    """The best trial of an arm.

    Attributes:
      fields: the arm's, as an override dict.
      searched: those of them that were searched.
      accuracy: on validation, of the kept parameters.
      loss: validation loss of the same.
      trial: its id.
    """

    fields: Mapping[str, Any]
    searched: Mapping[str, Any]
    accuracy: float
    loss: float
    trial: str


def winners(study: StudyDirectory, search: Search) -> dict[str, Winner | None]:
    """Returns the winner of each arm; None where no trial ran to its end yet.

    The search is led by the validation loss, which tells two settings apart that are
    equal in accuracy up to noise; of what it has found the trial of the highest
    validation accuracy wins, as everywhere in this project: it is how the kept epoch
    of a run and the setting of a method in a report are chosen. Of equals the one of
    the smaller loss counts, then the earlier one. Pruned trials do not compete.

    Args:
      study: the directory.
      search: what it holds.

    Raises:
      UserError: the results were computed with different inputs.
    """
    lines, planned = study.ledger.by_trial(), study.trials()
    inputs.refuse_mixed(study, planned)

    def winner(arm: Arm) -> Winner | None:
        found = [
            (trial, lines[trial.id]["result"]["validation"])
            for trial in planned
            if trial.arm == arm.name
            and trial.id in lines
            and lines[trial.id]["result"]["status"] == "done"
        ]
        if not found:
            return None
        trial, validation = max(found, key=lambda f: (f[1]["accuracy"], -f[1]["nll"]))
        return _winner(arm, trial, validation)

    return {arm.name: winner(arm) for arm in search.arms}


def _winner(arm: Arm, trial: Trial, validation: Mapping[str, float]) -> Winner:
    setting = arm.setting(arm.parameters(trial.values))
    searched = {name.partition("[")[0] for name in arm.searched}
    return Winner(
        setting,
        {path: value for path, value in setting.items() if path in searched},
        validation["accuracy"],
        validation["nll"],
        trial.id,
    )


def show_winners(study: StudyDirectory, search: Search, console: Console) -> None:
    """Writes winners.json, and prints a row for each arm.

    Args:
      study: the directory.
      search: what it holds.
      console: where to.
    """
    planned, found = study.trials(), winners(study, search)
    state = states(study, planned)
    table = Grid("arm", "winner", "validation accuracy", "loss", "trials")
    plain: dict[str, Any] = {}
    for arm, winner in found.items():
        ended = Counter(state[trial.id] for trial in planned if trial.arm == arm)
        counts = {name: ended[name] for name in STATES if ended[name]}
        trials = ", ".join(f"{count} {name}" for name, count in counts.items())
        plain[arm] = {"trials": counts}
        if winner is None:
            table.add_row(arm, "none ran to its end", "", "", trials)
            continue
        plain[arm] |= {
            "fields": winner.fields,
            "searched": winner.searched,
            "validation": {"accuracy": winner.accuracy, "loss": winner.loss},
            "trial": winner.trial,
        }
        fields = ", ".join(f"{_short(k)}={v}" for k, v in winner.searched.items())
        accuracy, loss = f"{100 * winner.accuracy:.2f} %", f"{winner.loss:.4f}"
        table.add_row(arm, fields, accuracy, loss, trials)
    about = {
        "study": search.name,
        "seed": search.base["seed"],
        "sampler": search.sampler,
        "budget": search.trials,
        "done": len(planned) == search.trials * len(found)
        and not remaining(study, planned),
        "arms": plain,
        "inputs": dict(ChainMap(*inputs.recorded(study, planned))),
    }
    write_atomically(study.path / FILE, to_json(about))
    console.print(table)
    say(console, f"winners: {study.path / FILE}")


def _short(path: str) -> str:
    return path.rpartition(".")[2]
