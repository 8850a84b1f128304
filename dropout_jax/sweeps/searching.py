# SPDX-License-Identifier: Apache-2.0
"""A search goes on, batch by batch, until every arm has had its budget.

Trials are asked for in batches, as many for each arm; a batch is in the plan before any
of its trials runs. What is asked for follows from the plan and the ledger alone: a
search that is killed goes on as if nothing had happened, and one whose directory was
lost finds its trials in the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.console import Console

from dropout_jax import terminal
from dropout_jax.config import from_json
from dropout_jax.config.errors import InUse, UserError
from dropout_jax.sweeps import halving, inputs
from dropout_jax.sweeps.sampler import Tried, suggest
from dropout_jax.sweeps.search import Search
from dropout_jax.sweeps.space import Arm
from dropout_jax.sweeps.study import StudyDirectory, remaining
from dropout_jax.sweeps.trials import ARM, Trial, plan
from dropout_jax.terminal import say


def tried(arm: Arm, study: StudyDirectory, trials: Sequence[Trial]) -> list[Tried]:
    """Returns the trials of one arm as a sampler sees them.

    Args:
      arm: the arm.
      study: in whose ledger the results are.
      trials: of the plan, of any arms.
    """
    lines, given_up = study.ledger.by_trial(), study.given_up()

    def one(trial: Trial) -> Tried:
        parameters = arm.parameters(trial.values)
        if trial.id not in lines:
            lost = trial.id in given_up
            return Tried(parameters, "failed" if lost else "waiting")
        result, history = lines[trial.id]["result"], lines[trial.id]["history"]
        epochs = zip(
            history.get("epoch", ()), history.get("validation_loss", ()), strict=True
        )
        done = result["status"] == "done"
        loss = result["validation"]["nll"] if done else float("nan")
        return Tried(parameters, result["status"], loss, dict(epochs))

    return [one(trial) for trial in trials if trial.arm == arm.name]


def next_batch(study: StudyDirectory, search: Search) -> list[Trial]:
    """Returns the trials to run now: what is open of the plan, or else a new batch.

    A new batch is in the plan when this returns. Empty: the search is done.

    Raises:
      UserError: arms overlap, a space is exhausted, or results were computed with other
        inputs than this process has.
    """
    planned = study.trials()
    if waiting := remaining(study, planned):
        return waiting
    inputs.refuse_mixed(study, planned)
    settings, found = [], {}
    for arm in search.arms:
        seen = tried(arm, study, planned)
        losses = [trial.losses for trial in seen]
        found[arm.name] = halving.bounds(losses, search.rungs, search.reduction)
        for _ in range(min(search.at_once, search.trials - len(seen))):
            chosen = suggest(arm, seen, search.sampler, search.base["seed"])
            # Waiting even where the ledger has it: nobody knew when it was run.
            seen.append(Tried(chosen, "waiting"))
            settings.append({ARM: arm.name, **arm.setting(chosen)})
    if not settings:
        return []
    # The slowest first: nobody shall wait at the end for one that began last.
    slowest = _seconds_by_arm(study)
    settings.sort(key=lambda setting: -slowest.get(setting[ARM], 0.0))
    batch = plan(search.name, from_json(search.base), settings)
    known = {trial.id: trial.arm for trial in planned}
    for trial in batch:
        if trial.id in known:
            raise UserError(
                f"arms {known[trial.id]!r} and {trial.arm!r} have a setting in common; "
                "make their spaces different"
            )
    # The ledger may have trials of it already, of whoever ran them.
    inputs.check(study, [*planned, *batch], search=True)
    # Before the plan: whoever takes a trial of it finds its bounds.
    halving.write_bounds(study, found)
    told = (study.about() or {"reporting": {}})["reporting"]
    study.extend(batch, lanes=search.lanes, test=False, reporting=told)
    return batch


def _seconds_by_arm(study: StudyDirectory) -> dict[str, float]:
    """Returns how long the longest trial of each arm took."""
    found: dict[str, float] = {}
    for line in study.ledger.by_trial().values():
        seconds = max(found.get(line["arm"], 0.0), line["result"]["seconds"])
        found[line["arm"]] = seconds
    return found


def go_on(
    study: StudyDirectory,
    search: Search,
    execute: Callable[[Sequence[Trial], float], object],
    *,
    minutes: float = 0.0,
    console: Console | None = None,
) -> bool:
    """Runs a search to its end, batch by batch.

    Args:
      study: the directory; `begin` was called for it.
      search: the search.
      execute: runs trials of the plan, given the minutes after which it shall begin
        none (0: no limit); `run_local` or `work` in a lambda.
      minutes: no new trial begins after so many minutes; 0 for no limit.
      console: where it is said how far the search is.

    Returns:
      Whether it is done.

    Raises:
      UserError: a trial cannot run here; another process drives this search.
      Interrupted: Ctrl-C or SIGTERM.
    """
    console, end = console or terminal.Console(), time.monotonic() + 60 * minutes
    with study.driven() as mine:
        if not mine:
            raise InUse(f"{study.path}: another process is at this search; wait for it")
        while batch := next_batch(study, search):
            left = (end - time.monotonic()) / 60 if minutes else 0.0
            if remaining(study, batch) and (not minutes or left > 0):
                say(console, progress(study, search))
                execute(batch, left)
            if remaining(study, batch):
                say(console, f"{minutes:g} minutes are over; the same command goes on")
                return False
    return True


def progress(study: StudyDirectory, search: Search) -> str:
    """Returns a line that says how far the search is."""
    planned = study.trials()
    each = len(planned) / len(search.arms)
    open_ = len(remaining(study, planned))
    return (
        f"search: {each:g} of {search.trials} trials asked for in each of "
        f"{len(search.arms)} arms, {open_} of them to run"
    )
