# SPDX-License-Identifier: Apache-2.0
"""The runs of each stage of a protocol, and the trials that they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dropout_jax.config.field import Field
from dropout_jax.config.flat import flat
from dropout_jax.config.schema import BY_PATH
from dropout_jax.sweeps.choices import Choices
from dropout_jax.sweeps.protocol import (
    ACCURACY,
    CURVE,
    FINAL,
    GATE,
    SEARCH,
    Protocol,
    Role,
    Setting,
)
from dropout_jax.sweeps.trials import ARM, Trial, plan

_COUNTS = ("train.epochs", "train.validations")
LONGER = "longer"  # the variant of a gate's run that trains for more epochs


class Run(NamedTuple):
    """One run of a stage.

    Attributes:
      setting: the point of the grid.
      seed: of the run.
      variant: in the gate `LONGER`, or the name of one of the method's `starts`.
    """

    setting: Setting
    seed: int
    variant: str = ""


def runs(
    protocol: Protocol, cell: str, stage: str, choices: Choices | None = None
) -> list[Run]:
    """Returns the runs of a stage, seed by seed: cut short, it has every setting.

    Args:
      protocol: the comparison.
      cell: name of the cell.
      stage: one of `STAGES`.
      choices: what its search has chosen; the search itself needs none.
    """
    found = protocol.cells[cell]
    if stage == SEARCH:
        grid = [s for m in protocol.methods for s in protocol.settings(cell, m)]
        return [
            Run(s, seed) for seeds in found.searches for seed in seeds for s in grid
        ]
    assert choices is not None
    if stage == GATE:
        return list(dict.fromkeys(_gate(protocol, choices)))
    if stage == CURVE:
        drawn = dict.fromkeys(s for of in choices.curve.values() for s in of)
        return [Run(s, seed) for seed in found.curves for s in drawn]
    assert stage == FINAL
    return [
        Run(setting, seed)
        for seeds in zip(*found.finals, strict=True)
        for search, seed in enumerate(seeds)
        for setting in choices.of_search(search)
    ]


def finals(protocol: Protocol, cell: str, choices: Choices) -> dict[Role, list[Run]]:
    """Returns the runs of the stage "final" that serve each role, seed by seed.

    A setting that was chosen for both answers has one run for both. The methods of one
    search and answer are paired: their runs have the same seeds.

    Args:
      protocol: the comparison.
      cell: name of the cell.
      choices: of the cell.
    """
    seeds = protocol.cells[cell].finals
    return {
        role: [Run(choice.setting, seed) for seed in seeds[role.search]]
        for role, choice in choices.by_role.items()
    }


def _gate(protocol: Protocol, choices: Choices) -> Iterable[Run]:
    for seed in protocol.gate.seeds:
        for (method, answer), setting in choices.pooled.items():
            yield Run(setting, seed)
            yield Run(setting, seed, LONGER)
            if answer == ACCURACY:
                for start in protocol.methods[method].starts:
                    yield Run(setting, seed, start)


def planned(
    study: str, base: Any, protocol: Protocol, cell: str, wanted: Iterable[Run]
) -> dict[Run, Trial]:
    """Returns the trials of some runs, all validated; the arm is the method.

    Args:
      study: name of the study.
      base: configuration that all start from.
      protocol: the comparison.
      cell: name of the cell.
      wanted: runs of one stage.

    Raises:
      UserError: a configuration is wrong, or two settings are the same run.
    """
    wanted = list(wanted)
    sweep = [_overrides(base, protocol, cell, run) for run in wanted]
    return dict(zip(wanted, plan(study, base, sweep), strict=True))


def epochs(base: Any, protocol: Protocol, cell: str, run: Run) -> int:
    """Returns for how many epochs a run trains."""
    overrides = _overrides(base, protocol, cell, run)
    return overrides.get("train.epochs", base.train.epochs)


def _overrides(base: Any, protocol: Protocol, cell: str, run: Run) -> dict[str, Any]:
    method = run.setting.method
    fields = {
        **protocol.fields(cell, run.setting),
        **protocol.methods[method].starts.get(run.variant, {}),
    }
    if run.variant == LONGER:
        fields |= _stretched({**flat(base.to_dict()), **fields}, protocol.gate.factor)
    return {ARM: method, **fields, "seed": run.seed}


def _stretched(fields: Mapping[str, Any], factor: int) -> dict[str, Any]:
    """Returns all that is counted in epochs, times a factor: the same recipe, longer.

    Validations too: the least NLL is one of the validated epochs, which must lie as
    close.
    """

    def times(value: Any) -> Any:
        return tuple(map(times, value)) if isinstance(value, tuple) else factor * value

    return {
        path: times(fields[path])
        for path, field in BY_PATH.items()
        if (path in _COUNTS or path.endswith("_epochs")) and _acts(field, fields)
    }


def _acts(field: Field, fields: Mapping[str, Any]) -> bool:
    """Whether a run reads a field; changed where none does, it would be refused."""
    if field.only_with is None:
        return True
    other, needed = field.only_with
    # A name that a plugin registers is no choice of the schema: it may read the field.
    return fields[other] in needed or fields[other] not in BY_PATH[other].choices
