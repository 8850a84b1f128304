# SPDX-License-Identifier: Apache-2.0
"""A search for hyperparameters: what it is, what it asks for next, until it is done.

    search.json     space, sampler, budget, rungs: all there is to say
    rungs.json      losses with which trials of this batch may go on (halving.py)
    winners.json    what came out

lie beside the other files of a study. Trials are asked for in batches, as many for
each arm; a batch is in the plan before any of its trials runs. What is asked for
follows from the plan and the ledger alone: a search that is killed goes on as if
nothing had happened, and one whose directory was lost finds its trials in the ledger.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console

from dropout_jax.config import canonical, config_id, from_json
from dropout_jax.config.errors import InUse, UserError
from dropout_jax.config.loading import call
from dropout_jax.files import to_json, write_atomically
from dropout_jax.sweeps import distributions, halving
from dropout_jax.sweeps.described import name_of
from dropout_jax.sweeps.sampler import Tried, suggest
from dropout_jax.sweeps.space import Arm, arms_of
from dropout_jax.sweeps.status import say
from dropout_jax.sweeps.study import StudyDirectory, remaining
from dropout_jax.sweeps.trials import ARM, Trial, plan

FILE = "search.json"


@dataclasses.dataclass(frozen=True)
class Search:
    """What a search is.

    Attributes:
      name: of the study.
      base: the configuration that all trials start from, as `canonical` has it.
      arms: the methods and their spaces.
      sampler: one of `sampler.SAMPLERS`.
      trials: the budget, the same for every arm.
      at_once: trials of an arm that are asked for together.
      rungs: epochs at which trials may be pruned.
      reduction: how many trials there are for each that passes a rung.
      lanes: how many trials of one program train in step at most.
    """

    name: str
    base: Mapping[str, Any]
    arms: tuple[Arm, ...]
    sampler: str = "tpe"
    trials: int = 20
    at_once: int = 1
    rungs: tuple[int, ...] = ()
    reduction: int = 2
    lanes: int = 1


def described(
    config_file: str,
    base: Any,
    *,
    sampler: str,
    trials: int,
    at_once: int,
    reduction: int,
    first_rung: int = 0,
    lanes: int = 1,
) -> Search:
    """Returns the search that a config file describes, all of it checked.

    The file has `get_config()` and `space()`, which returns for each arm a dict of
    fields: values, or distributions of `sweeps.distributions`. With "file.py:text"
    both are called with "text".

    Args:
      config_file: as `--config` names it.
      base: what `get_config` returned, flags on top.
      sampler: one of `sampler.SAMPLERS`.
      trials: for each arm.
      at_once: trials of an arm that are asked for together.
      reduction: how many trials there are for each that passes a rung; 0: all pass.
      first_rung: epoch of the first rung; 0: one rung, as late as can be.
      lanes: how many trials of one program train in step at most.

    Raises:
      UserError: there is no `space`, or something in it is wrong.
    """
    space = call(
        config_file,
        "space",
        "it must return for each arm a dict of its fields and their distributions "
        "(docs/search.md)",
    )
    arms = arms_of(space, base)
    for arm in arms:
        if arm.size < trials:
            raise UserError(
                f"space(), arm {arm.name!r}: has {arm.size:g} different settings, "
                f"fewer than --trials={trials}, which every arm gets"
            )
    rungs = halving.rungs(base.train.epochs, reduction, first_rung)
    name = name_of(config_file)
    return Search(
        name,
        canonical(base),
        arms,
        sampler=sampler,
        trials=trials,
        at_once=at_once,
        rungs=rungs,
        reduction=reduction,
        lanes=lanes,
    )


def load_search(study: StudyDirectory) -> Search | None:
    """Returns the search that a study's directory holds; None if it is no search."""
    path = study.path / FILE
    if not path.exists():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    space = found.pop("space")
    arms = (
        Arm(name, {k: distributions.from_json(v) for k, v in fields})
        for name, fields in space
    )
    return Search(**{**found, "arms": tuple(arms), "rungs": tuple(found["rungs"])})


def begin(study: StudyDirectory, search: Search) -> None:
    """Writes what the search is into its directory.

    A search begun before may go on with a larger budget or other batches.

    Raises:
      UserError: the directory belongs to something else.
    """
    found = load_search(study)
    if found is None and study.about() is not None:
        raise UserError(
            f"{study.path} holds a study that is no search; choose another directory"
        )
    if found is not None and _identity(found) != _identity(search):
        raise UserError(
            f"{study.path} belongs to a search with another configuration, space, "
            "sampler or pruning; choose another directory"
        )
    try:
        study.path.mkdir(parents=True, exist_ok=True)
        if found is not None:  # as study.json has it, since the first trial
            search = dataclasses.replace(search, lanes=found.lanes)
        write_atomically(study.path / FILE, to_json(_plain(search)))
    except OSError as error:
        raise UserError(
            f"{study.path} cannot be written ({error.strerror}); choose a directory "
            "you may write to"
        ) from error


def _plain(search: Search) -> dict[str, Any]:
    """The content of search.json; lists of pairs, because the order counts."""
    values = {
        field.name: getattr(search, field.name) for field in dataclasses.fields(search)
    }
    del values["arms"]
    space = [
        [arm.name, [[k, distributions.to_json(v)] for k, v in arm.fields.items()]]
        for arm in search.arms
    ]
    return {**values, "rungs": list(search.rungs), "space": space}


def _identity(search: Search) -> dict[str, Any]:
    values = _plain(search) | {"base": config_id(search.base)}
    for free in ("trials", "at_once", "lanes"):
        del values[free]
    return json.loads(to_json(values))


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
        epochs = zip(history["epoch"], history["validation_loss"], strict=True)
        done = result["status"] == "done"
        loss = result["validation"]["nll"] if done else float("nan")
        return Tried(parameters, result["status"], loss, dict(epochs))

    return [one(trial) for trial in trials if trial.arm == arm.name]


def next_batch(study: StudyDirectory, search: Search) -> list[Trial]:
    """Returns the trials to run now: what is open of the plan, or else a new batch.

    A new batch is in the plan when this returns. Empty: the search is done.

    Raises:
      UserError: arms overlap, or a space is exhausted.
    """
    planned = study.trials()
    if waiting := remaining(study, planned):
        return waiting
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
    batch = plan(search.name, from_json(search.base), settings)
    known = {trial.id: trial.arm for trial in planned}
    for trial in batch:
        if trial.id in known:
            raise UserError(
                f"arms {known[trial.id]!r} and {trial.arm!r} have a setting in common; "
                "make their spaces different"
            )
    # Before the plan: whoever takes a trial of it finds its bounds.
    halving.write_bounds(study, found)
    told = (study.about() or {"reporting": {}})["reporting"]
    study.extend(batch, lanes=search.lanes, test=False, reporting=told)
    return batch


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
    console, end = console or Console(), time.monotonic() + 60 * minutes
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
