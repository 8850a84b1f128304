# SPDX-License-Identifier: Apache-2.0
"""From a base configuration and overrides to validated trials with stable ids."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dropout_jax import stored
from dropout_jax.config import canonical, config_id, from_json, validate
from dropout_jax.config.errors import UserError
from dropout_jax.config.flat import flat
from dropout_jax.config.loading import override

ARM = "arm"


@dataclasses.dataclass(frozen=True)
class Trial:
    """One training run inside a study.

    Attributes:
      study: name of the study.
      arm: what the trial belongs to when results are compared, such as a method.
      values: the whole configuration as plain data, seed included.
      id: SHA-256 of the canonical configuration.
    """

    study: str
    arm: str
    values: Mapping[str, Any]
    id: str

    @functools.cached_property
    def config(self) -> Any:
        """The configuration; made when first asked for, a study may have thousands."""
        return from_json(self.values)

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.values["seed"]


def names(trials: Iterable[Trial]) -> dict[str, str]:
    """Returns what to call each trial, by id: arm, seed, and where its arm varies.

    Example:
      >>> from dropout_jax.config import defaults
      >>> drop = {"arm": "dropout", "noise.kind": "dropout"}
      >>> sweep = [{**drop, "noise.rates": (rate,)} for rate in (0.2, 0.5)]
      >>> for name in names(plan("s", defaults(), sweep)).values():
      ...     print(name)
      dropout rates=[0.2] seed 0
      dropout rates=[0.5] seed 0
    """
    arms = _by_arm(trials)
    found = {}
    for arm, members in arms.items():
        knobs = _varied(members.values())
        for trial_id, values in members.items():
            settings = [f"{k.rpartition('.')[2]}={values.get(k)}" for k in knobs]
            found[trial_id] = " ".join([arm, *settings, f"seed {values['seed']}"])
    return found


def knobs(trials: Iterable[Trial]) -> list[str]:
    """Returns the fields in which an arm has several settings, by dotted path.

    Example:
      >>> from dropout_jax.config import defaults
      >>> drop = {"arm": "dropout", "noise.kind": "dropout"}
      >>> sweep = [{**drop, "noise.rates": (rate,)} for rate in (0.2, 0.5)]
      >>> knobs(plan("s", defaults(), [*sweep, {"arm": "none"}]))
      ['noise.rates']
    """
    arms = _by_arm(trials)
    found = [knob for members in arms.values() for knob in _varied(members.values())]
    return list(dict.fromkeys(found))


def _by_arm(trials: Iterable[Trial]) -> dict[str, dict[str, dict[str, Any]]]:
    """Returns the flat configurations of each arm's trials, by id."""
    arms: dict[str, dict[str, dict[str, Any]]] = {}
    for trial in trials:
        arms.setdefault(trial.arm, {})[trial.id] = flat(trial.values)
    return arms


def _varied(members: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the fields but the seed in which flat configurations differ.

    A plan may have trials of an earlier version, which lack the newest fields.
    """
    first, *others = members
    return [
        path
        for path in dict.fromkeys(path for one in (first, *others) for path in one)
        if path != "seed" and any(o.get(path) != first.get(path) for o in others)
    ]


def describe(trials: Sequence[Trial], named: Mapping[str, str]) -> str:
    """Returns which trials these are, by their `names`, in a few words."""
    first = named[trials[0].id]
    return first if len(trials) == 1 else f"{first} and {len(trials) - 1} more"


def across_seeds(
    settings: Iterable[Mapping[str, Any]], seeds: int
) -> Iterator[Mapping[str, Any]]:
    """Yields every setting with every seed, so that comparisons are paired.

    Seed by seed: a study cut short has every setting.

    Args:
      settings: override dicts; one that names its `seed` stands for itself.
      seeds: number of seeds, from 0.

    Example:
      >>> trials = across_seeds([{"arm": "none"}, {"arm": "dropout"}], 2)
      >>> [(fields["arm"], fields["seed"]) for fields in trials]
      [('none', 0), ('dropout', 0), ('none', 1), ('dropout', 1)]
    """
    settings = list(settings)
    yield from (fields for fields in settings if "seed" in fields)
    for seed in range(seeds):
        for fields in settings:
            if "seed" not in fields:
                yield {**fields, "seed": seed}


def plan(study: str, base: Any, sweep: Iterable[Mapping[str, Any]]) -> list[Trial]:
    """Returns the trials of a study, every one of them validated.

    Args:
      study: name of the study.
      base: configuration that all trials start from; not modified.
      sweep: for each trial the fields to override, by dotted path, and its `arm`.

    Raises:
      UserError: a trial's configuration is invalid, two trials are the same, or an
        arm or the study has no name; the message names the trial. Nothing has run by
        then.

    Example:
      >>> from dropout_jax.config import defaults
      >>> sweep = [{"arm": "none", "seed": seed} for seed in (0, 1)]
      >>> trials = plan("seeds", defaults(), sweep)
      >>> [trial.seed for trial in trials]
      [0, 1]
    """
    if not stored.is_name(study):
        raise UserError(f"a study needs a name that can be printed, not {study!r:.80}")
    trials: dict[str, Trial] = {}
    for number, overrides in enumerate(sweep):
        overrides = dict(overrides)
        arm = overrides.pop(ARM, None)
        if not stored.is_name(arm):
            raise UserError(
                f"trial {number} of study {study!r} has {arm!r:.80} for an arm; give "
                f"every override dict an entry {ARM!r} with a name: 1 to "
                f"{stored.MOST_LETTERS} characters that can be printed"
            )
        try:
            config = override(base, overrides)
            validate(config)
        except UserError as error:
            raise UserError(
                f"trial {number} of study {study!r} (arm {arm!r}): {error}"
            ) from error
        trial = Trial(study, arm, canonical(config), config_id(config))
        if trial.id in trials:
            raise UserError(
                f"trial {number} of study {study!r} (arm {arm!r}, seed {trial.seed}) "
                f"is the same run as one of arm {trials[trial.id].arm!r}; remove one"
            )
        trials[trial.id] = trial
    return list(trials.values())
