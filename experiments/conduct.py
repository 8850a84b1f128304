# SPDX-License-Identifier: Apache-2.0
"""What all experiments share: plan, run what is missing, report from the ledger."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from rich.console import Console

from dropout_jax.config import command_line
from dropout_jax.config.loading import load_module
from dropout_jax.sweeps import command_flags

ROOT = Path(__file__).resolve().parent.parent


def define_model(flag_values: flags.FlagValues, models: Iterable[str]) -> None:
    """Defines --model; the first of `models` is its default."""
    known = list(models)
    flags.DEFINE_enum("model", known[0], known, "Which model.", flag_values=flag_values)


def config_of_model(config: str, models: Iterable[str], prefix: str = "") -> str:
    """Returns `config` for the --model of the command line.

    The model decides on which defaults the other flags go, so it is read first.

    Args:
      config: file whose `get_config` takes a name.
      models: known models, the default first.
      prefix: what stands before the model in the name.
    """
    known = list(models)
    given = known[0]
    for arg, following in zip(sys.argv[1:], [*sys.argv[2:], ""], strict=True):
        flag, equals, value = arg.partition("=")
        if flag in ("--model", "-model"):
            given = value if equals else following
    return f"{config}:{prefix}{given if given in known else known[0]}"


def define_seeds(flag_values: flags.FlagValues, seeds: int) -> None:
    """Defines --seeds."""
    flags.DEFINE_integer(
        "seeds",
        seeds,
        "Number of seeds, from 0; all methods share them.",
        lower_bound=1,
        flag_values=flag_values,
    )


def define_ledger(flag_values: flags.FlagValues) -> None:
    """Defines --ledger and --minutes."""
    command_flags.define_ledger(flag_values)
    command_flags.define_minutes(flag_values)


def conduct(
    flag_values: flags.FlagValues,
    name: str,
    sweep: Iterable[Mapping[str, Any]],
    *,
    title: str,
    baseline: str,
    notes: Sequence[str] = (),
    search_budget: Mapping[str, int] | None = None,
    published: Mapping[str, str] | None = None,
) -> None:
    """Runs the trials that the ledger lacks, then writes and prints the report.

    Args:
      flag_values: `config`, `workdir`, and those of `define_ledger`.
      name: of the study.
      sweep: override dicts of the trials, each with its `arm`.
      title: heading of the report.
      baseline: arm that the others are compared with.
      notes: paragraphs for the report.
      search_budget: number of candidates tried per arm before this study.
      published: what others have printed, by arm.
    """
    from dropout_jax import sweeps
    from dropout_jax.sweeps.commands import show_report

    trials = sweeps.plan(name, flag_values.config, sweep)
    study = sweeps.StudyDirectory(flag_values.workdir, flag_values.ledger)
    reporting = {
        "title": title,
        "baseline": baseline,
        "notes": list(notes),
        "search_budget": search_budget,
        "published": published,
        "command": shlex.join(["python", *sys.argv]),
    }
    study.extend(trials, reporting=reporting)
    sweeps.work(study, trials, minutes=flag_values.minutes)
    show_report(study, trials, Console())


def study(name: str, description: str | None) -> int:
    """Returns the exit code of the experiment that configs/<name>.py describes.

    Args:
      name: of the study; its config file has TITLE, BASELINE, NOTES, PUBLISHED, and a
        `sweep` of the number of seeds.
      description: the script's docstring.
    """
    config = f"configs/{name}.py"
    described = load_module(ROOT / config)

    def define(flag_values: flags.FlagValues) -> None:
        define_seeds(flag_values, 3)
        define_ledger(flag_values)

    def run(flag_values: flags.FlagValues) -> None:
        conduct(
            flag_values,
            name,
            described.sweep(flag_values.seeds),
            title=described.TITLE,
            baseline=described.BASELINE,
            notes=described.NOTES,
            published=described.PUBLISHED,
        )

    return main(run, description, config, workdir=f"runs/{name}", define=define)


def main(
    run: Callable[[flags.FlagValues], None],
    description: str | None,
    config: str,
    *,
    workdir: str,
    define: Callable[[flags.FlagValues], object],
) -> int:
    """Returns the exit code of an experiment's command line.

    Args:
      run: does the work, given the parsed flags.
      description: the script's docstring.
      config: default of --config, relative to the repository.
      workdir: default of --workdir.
      define: defines the script's flags.
    """
    return command_line.main(
        run,
        description=description,
        default_config=str(ROOT / config),
        default_workdir=workdir,
        define=define,
    )
