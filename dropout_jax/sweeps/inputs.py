# SPDX-License-Identifier: Apache-2.0
"""The inputs of a study: its data, plugins and settings, the same for all results.

What its results and checkpoints were computed with is compared with what this process
has, before any trial runs. study.json holds what the study computes with now, which
every worker compares with its own, and the values that a user has accepted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dropout_jax.config.errors import UserError
from dropout_jax.config.schema import BY_PATH
from dropout_jax.files import refuse_odd
from dropout_jax.sweeps.study import StudyDirectory, unfinished
from dropout_jax.sweeps.trials import Trial
from dropout_jax.training import fingerprint, parts
from dropout_jax.training.run_directory import RunDirectory

_DATA = BY_PATH["data.name"]
Values = Mapping[str, Any]  # a configuration as plain data


def present(configs: Iterable[Values]) -> dict[str, Any]:
    """Returns the inputs that this process has for some configurations, `scoped`.

    What cannot be read is left out: the trial that needs it will say so.
    """
    from dropout_jax.data import content
    from dropout_jax.training import environment  # imports JAX

    found: dict[str, Any] = {}
    for data, plugin in dict.fromkeys(map(_names, configs)):
        inputs = environment.inputs(plugin, content.inputs(data))
        found |= fingerprint.scoped(inputs, data, plugin)
    return found


def recorded(study: StudyDirectory, trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Returns the inputs of what there is of some trials: results and checkpoints."""
    lines, found = study.ledger.by_trial(), []
    for trial in trials:
        if trial.id in lines:
            of_line = parts.of_line(study.ledger.path, lines[trial.id])
            inputs = [part["inputs"] for part in of_line]
        else:
            inputs = [_saved(study.run_directory(trial))]
        found += [fingerprint.scoped(one, *_names(trial.values)) for one in inputs]
    return found


def _saved(directory: Path) -> fingerprint.Inputs:
    """Returns the inputs of an unfinished run; if it is damaged, its trial says so."""
    from dropout_jax.training import run_inputs  # imports JAX

    with contextlib.suppress(UserError):
        refuse_odd(directory)
        return run_inputs.saved(RunDirectory(directory))
    return {}


def _names(values: Values) -> tuple[str, str]:
    """Returns the names of data and plugin, of a plan that may be of other making."""
    data = values.get("data")
    name = data.get("name") if isinstance(data, Mapping) else None
    return str(name or _DATA.default), str(values.get("plugin") or "")


def refuse_mixed(study: StudyDirectory, trials: Sequence[Trial]) -> None:
    """Raises UserError if some trials' results were computed with different inputs."""
    for name, values in fingerprint.conflicts(recorded(study, trials)).items():
        shown = [fingerprint.show(name, value) for value in values]
        raise UserError(
            f"{study.path}: its results were computed with {' and with '.join(shown)}, "
            "and must not be compared; begin another study for one of them"
        )


def check(
    study: StudyDirectory,
    trials: Sequence[Trial],
    *,
    more: Iterable[Values] = (),
    accept: bool = False,
    search: bool = False,
) -> dict[str, Any]:
    """Compares the inputs of this process with those of the study; writes nothing.

    Args:
      study: the directory.
      trials: those that are to run, and those of the plan.
      more: configurations of trials that will come.
      accept: whether the study goes on with inputs of both kinds.
      search: whether it is a search, which never does.

    Returns:
      What the study has to remember (`StudyDirectory.remember`): the inputs of this
      process, and the values that were accepted.

    Raises:
      UserError: they differ, and neither `accept` nor an earlier one accepts them.
    """
    now = present([*(trial.values for trial in trials), *more])
    about = study.about() or {}
    earlier = [about["inputs"]] if "inputs" in about and _in_work(study, trials) else []
    accepted = dict(about.get("accepted", {}))
    found = fingerprint.conflicts([*recorded(study, trials), *earlier, now])
    for name, values in found.items():
        if all(value in accepted.get(name, ()) for value in values):
            continue
        offered = fingerprint.acceptable(name) and not search
        if not (accept and offered):
            raise UserError(_refusal(study, name, values, now, offered))
        accepted[name] = values
    return {"inputs": now, "accepted": accepted}


def begin(study: StudyDirectory) -> None:
    """Compares for all trials of the plan, and remembers what the study goes on with.

    Raises:
      UserError: as `check`.
    """
    study.remember(**check(study, study.trials(), search=not study.tests()))


def check_now(study: StudyDirectory, trials: Sequence[Trial]) -> None:
    """Raises UserError if this process has other inputs than the study goes on with.

    They may have changed while it runs, or be others on this machine.
    """
    wanted = (study.about() or {}).get("inputs", {})
    now = present(trial.values for trial in trials)
    if differing := fingerprint.differences(wanted, now):
        was, is_now = fingerprint.described(differing)
        raise UserError(
            f"{study.path} is computed with {was}, and this process has {is_now}: "
            f"{fingerprint.cure(differing)}; `resume` says what else can be done"
        )


def _in_work(study: StudyDirectory, trials: Sequence[Trial]) -> bool:
    return any(study.claimed(trial) for trial in unfinished(study, trials))


def _refusal(
    study: StudyDirectory, name: str, values: list[Any], now: Values, offered: bool
) -> str:
    old = [value for value in values if name not in now or value != now[name]]
    was = " and with ".join(fingerprint.show(name, value) for value in old)
    if name in now:
        differing = {name: (old[0], now[name])}
        rest = (
            f", and this process has {fingerprint.show(name, now[name])}: "
            f"{fingerprint.cure(differing)}, "
        )
    else:
        rest = ": "
    either = "" if offered or name not in now else "or "
    rest += f"{either}choose another --study and --ledger"
    if offered:
        rest += f", or accept it with {fingerprint.ACCEPT}, which keeps the rows apart"
    return f"{study.path}: its results were computed with {was}{rest}"
