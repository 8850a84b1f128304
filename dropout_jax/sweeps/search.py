# SPDX-License-Identifier: Apache-2.0
"""A search for hyperparameters: what it is, on the command line and on the disk.

    search.json     space, sampler, budget, rungs: all there is to say
    rungs.json      losses with which trials of this batch may go on (halving.py)
    winners.json    what came out

lie beside the other files of a study; `searching.py` runs it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from dropout_jax import stored
from dropout_jax.config import canonical, config_id
from dropout_jax.config.causes import writing
from dropout_jax.config.errors import UserError
from dropout_jax.config.loading import call
from dropout_jax.files import make_private, to_json, write_atomically
from dropout_jax.sweeps import distributions, halving
from dropout_jax.sweeps.described import name_of
from dropout_jax.sweeps.space import Arm, arms_of
from dropout_jax.sweeps.study import StudyDirectory

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
    train = base.train
    rungs = halving.rungs(train.epochs, reduction, first_rung, train.validations)
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
    if (found := stored.read_if_there(path)) is None:
        return None
    try:
        space = found.pop("space")
        if not all(stored.is_name(name) for name in (found["name"], *dict(space))):
            raise ValueError("a name in it is none")
        arms = tuple(
            Arm(name, {k: distributions.from_json(v) for k, v in fields})
            for name, fields in space
        )
        return Search(**{**found, "arms": arms, "rungs": tuple(found["rungs"])})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise stored.Damaged(
            f"{path} is no search ({type(error).__name__}: {error}); remove the file, "
            "and the command that began the search writes it again"
        ) from error


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
    with writing(study.path, 0):
        make_private(study.path)
    if found is not None:  # as study.json has it, since the first trial
        search = dataclasses.replace(search, lanes=found.lanes)
    write_atomically(study.path / FILE, to_json(_plain(search)))


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
