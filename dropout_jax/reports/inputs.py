# SPDX-License-Identifier: Apache-2.0
"""Results of different inputs: refused, or kept apart; and what changes rounding.

Inputs are what makes another result beside the configuration: the bytes of the data and
of the plugin, and settings of JAX (`training.fingerprint`). A result that does not know
an input, as older lines do not, counts with the one value that the others have.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from dropout_jax.config.errors import UserError, one_line
from dropout_jax.reports.numbers import counted
from dropout_jax.reports.trial import Trial
from dropout_jax.training import fingerprint, parts

UNKNOWN = "unknown"
_Key = tuple[tuple[str, int], ...]  # inputs that are not the first ones, by place
_MOST_LETTERS = 100  # of what is added to a method's name
_SHOWN = 3  # values of a circumstance that are named; more are counted


def keep_apart(
    places: Sequence[str], trials: Sequence[Trial], *, accept: bool
) -> list[Trial]:
    """Returns the trials, those of other inputs as other methods.

    The inputs that come first keep the plain names; "dropout" of other data becomes
    "dropout [data 75464308]".

    Args:
      places: of the trials' lines, for the message.
      trials: of a study.
      accept: whether there may be different inputs.

    Raises:
      UserError: there are, and it is not accepted.
    """
    if not accept:
        refuse_different(
            places,
            trials,
            f"{fingerprint.ACCEPT} reports them as methods of their own",
        )
    known = [_inputs(trial) for trial in trials]
    conflicts = fingerprint.conflicts(known)
    apart, names = [], _Names({trial.arm for trial in trials}, conflicts)
    for trial, inputs in zip(trials, known, strict=True):
        own = {
            name: inputs.get(name, UNKNOWN)
            for name in conflicts
            if name in inputs or _uses(trial, name)
        }
        apart.append(replace(trial, arm=names.of(trial.arm, own), inputs=own))
    return apart


def refuse_different(
    places: Sequence[str], trials: Sequence[Trial], remedy: str
) -> None:
    """Refuses trials of different inputs.

    Args:
      places: of the trials' lines, for the message.
      trials: that are to be averaged or compared.
      remedy: what the user can do, for the message.

    Raises:
      UserError: an input has two values among the trials.
    """
    known = [_inputs(trial) for trial in trials]
    conflicts = fingerprint.conflicts(known)
    if not conflicts:
        return
    name, (first, other, *_) = next(iter(conflicts.items()))
    values = [inputs.get(name) for inputs in known]
    here, there = values.index(other), values.index(first)
    raise UserError(
        f"{places[here]}: {_shown(name, other)} ({trials[here].arm!r}, seed "
        f"{trials[here].seed}), but {places[there]} has {_shown(name, first)}: "
        f"results of different inputs must not be averaged or compared; {remedy}"
    )


class _Names:
    """Names of methods with other inputs: no two inputs ever share one."""

    def __init__(self, arms: set[str], conflicts: dict[str, list[Any]]):
        self._conflicts = conflicts
        self._taken = set(arms)
        self._labels: dict[_Key, str] = {}
        self._names: dict[tuple[str, _Key], str] = {}

    def of(self, arm: str, own: dict[str, Any]) -> str:
        """Returns the name of a method with some inputs; the plain one for the first.

        Labels are cut, and digests shown in part: inputs that read alike are numbered.
        """
        others = {
            name: value
            for name, value in own.items()
            if value != self._conflicts[name][0]
        }
        key = tuple(
            (n, _place(value, self._conflicts[n])) for n, value in others.items()
        )
        if (arm, key) not in self._names:
            label = self._label(key, others)
            name = _unlike(f"{arm} [{label}]", self._taken) if key else arm
            self._names[arm, key] = name
            self._taken.add(name)
        return self._names[arm, key]

    def _label(self, key: _Key, others: dict[str, Any]) -> str:
        if key and key not in self._labels:
            shown = ", ".join(_shown(n, v, short=True) for n, v in others.items())
            label = one_line(shown[:_MOST_LETTERS])  # of a file, as all that is in it
            self._labels[key] = _unlike(label, self._labels.values())
        return self._labels.get(key, "")


def _place(value: Any, values: list[Any]) -> int:
    """Returns which of some values it is, none of which need be hashable."""
    return values.index(value) if value in values else len(values)


def _unlike(text: str, others: Collection[str]) -> str:
    """Returns the text, with a number if it is one of some others."""
    numbered = (f"{text} ({number})" for number in itertools.count(2))
    return next(
        each for each in itertools.chain([text], numbered) if each not in others
    )


def _inputs(trial: Trial) -> dict[str, Any]:
    """Returns the inputs of a trial; one that changed on the way has all its values."""
    found: dict[str, list[Any]] = {}
    for part in trial.parts:
        for name, value in part["inputs"].items():
            values = found.setdefault(name, [])
            if value not in values:
                values.append(value)
    plain = {name: v[0] if len(v) == 1 else tuple(v) for name, v in found.items()}
    config = trial.config
    return fingerprint.scoped(plain, config["data.name"], config["plugin"])


def _uses(trial: Trial, name: str) -> bool:
    """Whether an input of that name is one of the trial's."""
    data, plugin = trial.config["data.name"], trial.config["plugin"]
    both = {fingerprint.DATA: "", fingerprint.PLUGIN: ""}
    of_its_own = fingerprint.scoped(both, data, plugin)
    return name in of_its_own or not fingerprint.is_scoped(name)


def _shown(name: str, value: Any, *, short: bool = False) -> str:
    if isinstance(value, tuple):  # it changed on the way
        return ", then ".join(_shown(name, one, short=short) for one in value)
    if short and fingerprint.is_content(name):
        return f"{name.partition(' ')[0]} {value!s:.8}"
    return fingerprint.show(name, value)


def notes(trials: Sequence[Trial]) -> tuple[str, ...]:
    """Says what else the numbers depend on: inputs, mixed runs, models, rounding."""
    apart = fingerprint.conflicts(trial.inputs for trial in trials)
    said = [
        "Results of different inputs are methods of their own, and never paired: "
        f"{' and '.join(_shown(name, value) for value in values)}."
        for name, values in apart.items()
    ]
    said += [
        f"{trial.arm}, seed {trial.seed}: {mixture}."
        for trial in trials
        if (mixture := parts.mixture(trial.parts))
    ]
    remarks = dict.fromkeys((t.arm, remark) for t in trials for remark in t.remarks)
    said += [f"{arm}: {remark}." for arm, remark in remarks]
    circumstances = [
        parts.circumstances(part) for trial in trials for part in trial.parts
    ]
    varied = fingerprint.conflicts(circumstances)
    if varied:
        shown = "; ".join(_values(name, varied[name]) for name in varied)
        said.append(
            f"Runs come from different circumstances ({shown}): the same run may "
            "differ in its last bits, which training lets grow, and wall times do not "
            "compare." + (" Other code may change more." if "code" in varied else "")
        )
    moved = sum(
        bool(fingerprint.conflicts(map(parts.circumstances, trial.parts)))
        for trial in trials
    )
    if moved:
        said.append(f"{counted(moved, 'run')} went on in other circumstances.")
    return tuple(map(one_line, said))


def _values(name: str, values: Sequence[str]) -> str:
    if len(values) > _SHOWN:
        return f"{name}: {len(values)} different"
    return f"{name}: {', '.join(value or 'none' for value in values)}"
