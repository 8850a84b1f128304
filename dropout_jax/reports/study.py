# SPDX-License-Identifier: Apache-2.0
"""A study read back from its ledger: one JSON line per trial.

A ledger that cannot be averaged honestly (a second result for the same seed, two
configurations under one name) is an error here, so that nothing downstream has to
think of it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dropout_jax.config.alike import hint
from dropout_jax.config.errors import UserError
from dropout_jax.reports.fields import differing_fields
from dropout_jax.reports.inputs import keep_apart
from dropout_jax.reports.inputs import notes as rounding_notes
from dropout_jax.reports.numbers import counted
from dropout_jax.reports.records import records
from dropout_jax.reports.records import trial as read_trial
from dropout_jax.reports.trial import WITHDRAWN, Trial
from dropout_jax.stored import expect
from dropout_jax.training.fingerprint import differences

Setting = tuple[Any, ...]  # the values of a study's knobs, in their order


@dataclass(frozen=True)
class Study:
    """Trials of one study, in order of arm, setting and seed.

    `knobs` are the fields that a method was tried with several values of. Results of
    different settings are never averaged: `done` refuses a method that has several,
    until `selection.choose` has left it one.
    """

    name: str
    trials: tuple[Trial, ...]
    notes: tuple[str, ...] = ()
    knobs: tuple[str, ...] = ()

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the methods, in the order in which the ledger brings them."""
        return tuple(dict.fromkeys(trial.arm for trial in self.trials))

    def of(self, arm: str) -> tuple[Trial, ...]:
        """All trials of a method, by setting and seed."""
        return tuple(trial for trial in self.trials if trial.arm == arm)

    def only(self, arms: Collection[str]) -> "Study":
        """Returns the study of some of its methods."""
        kept = tuple(trial for trial in self.trials if trial.arm in arms)
        return replace(self, trials=kept)

    def setting(self, trial: Trial) -> Setting:
        """The values of the knobs in a trial, lists as tuples."""
        return _setting(trial, self.knobs)

    def settings(self, arm: str) -> tuple[Setting, ...]:
        """The settings that a method was tried with, as the ledger brings them."""
        return tuple(dict.fromkeys(self.setting(trial) for trial in self.of(arm)))

    def comparable(self, arm: str, other: str) -> bool:
        """Whether runs of two methods may be paired: they share what should be equal.

        Methods of other data by their configuration may be; those that `load_study`
        has kept apart, because an input changed under the same configuration, not.
        """
        first, second = self.of(arm)[:1], self.of(other)[:1]
        return not any(differences(a.inputs, b.inputs) for a in first for b in second)

    def done(self, arm: str) -> dict[int, Trial]:
        """Trials of a method that have results, by seed.

        Raises:
          ValueError: the method has several settings, of which none is chosen yet.
        """
        settings = self.settings(arm)
        if len(settings) > 1:
            raise ValueError(
                f"{arm!r} has {len(settings)} settings: choose one on validation first"
            )
        return {trial.seed: trial for trial in self.of(arm) if trial.done}


def load_study(
    ledgers: str | Path | Sequence[str | Path],
    *,
    name: str | None = None,
    knobs: Sequence[str] = (),
    accept_changes: bool = False,
) -> Study:
    """Reads the trials of one study.

    Args:
      ledgers: path of a JSONL ledger, or several, read in order.
      name: which study to read; may be left out where there is only one.
      knobs: fields, by dotted path, in which the trials of one arm may differ: what
        the method was tried with, such as ("noise.rates",). Where no run looked at
        the test set, as in a search, they are found: nothing is averaged there that
        a choice could flatter.
      accept_changes: whether results of different inputs (data, plugin, settings of
        JAX) become methods of their own; without it they are an error.

    Returns:
      A `Study`. A run that is "done" with a test metric that is not finite counts as
      "diverged". A trial found twice, as after merging ledgers, counts once: the
      first line stands, and `notes` says so.

    Raises:
      UserError: no such file, a line that is not a trial, several studies and no
        `name`, an unknown knob, two results for one arm, setting and seed, one arm
        with two configurations that differ in more than knobs, or different inputs.
    """
    paths = [ledgers] if isinstance(ledgers, str | Path) else list(ledgers)
    lines = [line for path in paths for line in records(Path(path))]
    where = ", ".join(str(path) for path in paths)
    studies = (expect(place, record, "study", str, "") for place, record in lines)
    found = list(dict.fromkeys(studies))
    if name is None and len(found) > 1:
        raise UserError(
            f"{where} holds the studies {found}: choose one by its name, such as "
            f"--study={found[0]}"
        )
    chosen = [line for line in lines if name is None or line[1].get("study") == name]
    if not chosen:
        wanted = ""
        if name is not None:
            wanted = f" of study {name!r} (it holds {found}{hint(name, found)})"
        raise UserError(f"{where} has no trial{wanted}: run the study first")

    trials: dict[tuple[str, Setting, int], Trial] = {}
    first: dict[str, Trial] = {}
    again, other = 0, []
    places = [place for place, _ in chosen]
    read = [read_trial(place, record) for place, record in chosen]
    read = _withdraw(keep_apart(places, read, accept=accept_changes))
    varied = _searched(read)
    if not knobs and not any(trial.test for trial in read):
        knobs = varied
    cure = _cure(varied)
    for place, trial in zip(places, read, strict=True):
        _check_knobs(place, trial, knobs)
        key = (trial.arm, _setting(trial, knobs), trial.seed)
        if key not in trials:
            earlier = first.setdefault(trial.arm, trial)
            fields = differing_fields([earlier.config, trial.config])
            if fields := [name for name in fields if name not in ("seed", *knobs)]:
                raise UserError(
                    f"{place}: {trial.arm!r} differs from its earlier trials in "
                    f"{', '.join(fields)}: {cure}"
                )
            trials[key] = trial
        elif trials[key].config == trial.config:
            if not trials[key].done:  # withdrawn or failed, and run again since
                trials[key] = trial if trial.done else trials[key]
            elif trial.done and trial.test != trials[key].test:
                other.append((trials[key], trial))
            else:
                again += not trial.withdrawn
        else:
            raise UserError(
                f"{place}: {trial.arm!r} has a second result for seed {trial.seed} "
                f"with another configuration: {cure}"
            )
    notes = list(rounding_notes(list(trials.values())))
    if again:
        twice = counted(again, "trial")
        notes.append(f"Found twice and counted once, by its first line: {twice}.")
    for kept, left in other:
        values = " and ".join(
            f"{100 * one.test.get('accuracy', float('nan')):.2f} %"
            for one in (kept, left)
        )
        notes.append(
            f"{kept.arm}, seed {kept.seed}: found twice with different results, test "
            f"accuracy {values}; the first line counts."
        )
    arms = {arm: place for place, arm in enumerate(first)}
    settings = {key[:2]: place for place, key in reversed(list(enumerate(trials)))}
    ordered = sorted(trials, key=lambda k: (arms[k[0]], settings[k[:2]], k[2]))
    return Study(
        name=str(name or found[0]),
        trials=tuple(trials[key] for key in ordered),
        notes=tuple(notes),
        knobs=tuple(knobs),
    )


def _withdraw(trials: Sequence[Trial]) -> list[Trial]:
    """Withdraws every copy of a withdrawn result, in whatever order ledgers come."""
    reasons = {(t.arm, t.seed, t.digest): t.withdrawn for t in trials if t.withdrawn}

    def judged(trial: Trial) -> Trial:
        reason = reasons.get((trial.arm, trial.seed, trial.digest))
        if trial.withdrawn or not reason or not trial.digest:
            return trial
        gone = trial.without_test()
        return replace(gone, status=WITHDRAWN, withdrawn=reason, sets={})

    return [judged(trial) for trial in trials]


def _setting(trial: Trial, knobs: Sequence[str]) -> Setting:
    values = (trial.config[knob] for knob in knobs)
    return tuple(tuple(v) if isinstance(v, list) else v for v in values)


def _searched(trials: Sequence[Trial]) -> list[str]:
    """The fields but the seed in which trials of one method differ."""
    arms: dict[str, list[dict[str, Any]]] = {}
    for trial in trials:
        arms.setdefault(trial.arm, []).append(trial.config)
    fields = [name for of in arms.values() for name in differing_fields(of)]
    return [name for name in dict.fromkeys(fields) if name != "seed"]


def _check_knobs(place: str, trial: Trial, knobs: Sequence[str]) -> None:
    """A seed is averaged over, never chosen; a mistyped field is not passed over."""
    for knob in knobs:
        if knob == "seed" or knob not in trial.config:
            raise UserError(
                f"{place}: {knob!r} is no field that a method can be tried with: name "
                "a field of its configuration, such as noise.rates"
            )


def _cure(fields: Sequence[str]) -> str:
    """What to do where one name has configurations that differ in some fields."""
    return (
        "if these are settings that the method was tried with, choose among them with "
        f"--knobs {' '.join(fields)} (in Python: knobs={tuple(fields)!r}); if they are "
        "two methods, give them two names"
    )
