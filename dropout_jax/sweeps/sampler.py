# SPDX-License-Identifier: Apache-2.0
"""Optuna as a library of samplers: what was tried goes in, what to try comes out.

Nothing is kept in an Optuna study: its storages lose or double trials when processes
die, and our files have it all.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from dropout_jax.config.errors import UserError
from dropout_jax.config.missing import missing
from dropout_jax.sweeps.distributions import Distribution, Range
from dropout_jax.sweeps.space import Arm, Parameters

SAMPLERS = ("tpe", "random")
_TRIES = 200  # for a setting that was not tried before
# Trials to learn from before the estimator is used: half of Optuna's own number, as
# budgets here are ten trials or some more.
_RANDOM_TRIALS = 5


@dataclasses.dataclass(frozen=True)
class Tried:
    """A trial as the sampler sees it: validation, and nothing of the test set.

    Attributes:
      parameters: where it is in the space.
      status: done, pruned, diverged or failed; or waiting, while it is not known.
      loss: validation loss of the kept parameters of a trial that is done.
      losses: validation loss by epoch.
    """

    parameters: Parameters
    status: Literal["done", "pruned", "diverged", "failed", "waiting"]
    loss: float = math.nan
    losses: Mapping[int, float] = dataclasses.field(default_factory=dict)


def check_installed() -> None:
    """Raises UserError, saying what to install, where Optuna is not."""
    _optuna()


def suggest(arm: Arm, tried: Sequence[Tried], sampler: str, seed: int) -> Parameters:
    """Returns where in an arm's space to look next: the same for the same arguments.

    "tpe" is the tree-structured Parzen estimator of Bergstra et al. 2011 (Algorithms
    for hyper-parameter optimization, section 4) with all parameters modelled jointly;
    its first five trials are random. "random" never looks at what was found.

    Args:
      arm: whose space it is.
      tried: its trials in the order in which they were asked for. A pruned trial is
        ranked below those that are done, one that diverged below every other; a
        failed one says nothing, a waiting one is taken for a bad one meanwhile, so
        that those asked for together differ.
      sampler: one of `SAMPLERS`.
      seed: of the search; the sampler's own is made of it, the arm and the number of
        trials.

    Raises:
      UserError: Optuna is not installed, or the space has no setting that was not
        tried before.
    """
    optuna = _optuna()
    distributions = {
        name: _distribution(optuna, found) for name, found in arm.searched.items()
    }
    known = [arm.setting(trial.parameters) for trial in tried]
    for attempt in range(_TRIES):
        name = f"{seed}/{arm.name}/{len(tried)}/{attempt}"
        own = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        # What was suggested twice would be run once: then anything that is new.
        if sampler == "random" or attempt:
            study = optuna.create_study(sampler=optuna.samplers.RandomSampler(own))
        else:
            tpe = optuna.samplers.TPESampler(seed=own, n_startup_trials=_RANDOM_TRIALS)
            study = optuna.create_study(sampler=tpe)
            for trial in tried:
                study.add_trial(_trial(optuna, trial, distributions))
        found = study.ask(fixed_distributions=distributions).params
        if arm.setting(found) not in known:
            return {
                name: distribution.to_parameter(
                    distribution.from_parameter(found[name])
                )
                for name, distribution in arm.searched.items()
            }
    raise UserError(
        f"arm {arm.name!r} has hardly a setting that was not tried before; widen its "
        "distributions, or ask for fewer trials"
    )


def _distribution(optuna: Any, found: Distribution) -> Any:
    if isinstance(found, Range):
        return optuna.distributions.FloatDistribution(
            found.low, found.high, log=found.log
        )
    return optuna.distributions.CategoricalDistribution(range(len(found.options)))


def _trial(optuna: Any, tried: Tried, distributions: Mapping[str, Any]) -> Any:
    states = optuna.trial.TrialState
    state = {
        "done": states.COMPLETE,
        "pruned": states.PRUNED,
        # Without a loss: the worst of the pruned ones. As a failure it would be
        # forgotten, and the region suggested again.
        "diverged": states.PRUNED,
        "failed": states.FAIL,
        "waiting": states.RUNNING,
    }[tried.status]
    return optuna.create_trial(
        state=state,
        value=tried.loss if tried.status == "done" else None,
        params=tried.parameters,
        distributions=dict(distributions),
        intermediate_values=dict(tried.losses) if tried.status == "pruned" else None,
    )


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise missing("optuna", "a search") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
