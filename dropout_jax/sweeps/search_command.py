# SPDX-License-Identifier: Apache-2.0
"""The command `search`: its flags, and its course to the table of winners."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence

from absl import flags
from rich.console import Console

from dropout_jax import terminal
from dropout_jax.sweeps import command_flags, commands, inputs, sampler
from dropout_jax.sweeps.execution import (
    check_execution,
    connection,
    define_execution,
    execute,
)
from dropout_jax.sweeps.search import Search, begin, described
from dropout_jax.sweeps.searching import go_on
from dropout_jax.sweeps.study import StudyDirectory
from dropout_jax.sweeps.trials import Trial
from dropout_jax.sweeps.winners import show_winners


def define_search(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `search`."""
    command_flags.define_ledger(flag_values)
    define_execution(flag_values)
    flags.DEFINE_integer(
        "trials",
        20,
        "Budget: number of trials, the same for every arm.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "at_once",
        1,
        "Trials of an arm that are asked for together. All arms are asked at once: 1 "
        "keeps as many processes busy as there are arms, and each trial learns from "
        "all before it.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_enum(
        "sampler",
        sampler.SAMPLERS[0],
        sampler.SAMPLERS,
        "Who asks: tpe learns from the trials before, random does not.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "reduction",
        2,
        "Successive halving: of so many trials one passes a rung; 0: none is pruned.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "first_rung",
        0,
        "Epoch of the first rung; each further one is --reduction times later. 0: a "
        "single one, as late as there can be.",
        lower_bound=0,
        flag_values=flag_values,
    )
    flags.register_validator(
        "reduction",
        lambda value: value == 0 or value >= 2,
        message="must be 0, or 2 or more",
        flag_values=flag_values,
    )


def search(flag_values: flags.FlagValues) -> int:
    """Chooses each arm's hyperparameters on validation, by an adaptive search."""
    sampler.check_installed()
    check_execution(flag_values)
    from dropout_jax.sweeps.local import default_lanes

    wanted = described(
        flag_values.config_file,
        flag_values.config,
        sampler=flag_values.sampler,
        trials=flag_values.trials,
        at_once=flag_values.at_once,
        reduction=flag_values.reduction,
        first_rung=flag_values.first_rung,
        lanes=flag_values.lanes or default_lanes(),
    )
    console = terminal.Console()
    commands.say_new_ledger(flag_values.ledger, console)
    study = StudyDirectory(flag_values.study, flag_values.ledger)
    inputs.check(study, study.known_trials(), more=[wanted.base], search=True)
    begin(study, wanted)
    return finish(study, wanted, flag_values, console)


def finish(
    study: StudyDirectory,
    wanted: Search,
    options: flags.FlagValues | argparse.Namespace,
    console: Console,
) -> int:
    """Goes on with a search and shows what it has found; returns the exit code."""
    sampler.check_installed()

    with contextlib.ExitStack() as held:

        def run(trials: Sequence[Trial], left: float) -> None:
            held.enter_context(connection(options))  # once there is something to run
            execute(study, trials, options, minutes=left, console=console)

        go_on(study, wanted, run, minutes=options.minutes, console=console)
    show_winners(study, wanted, console)
    return commands.say_failed(study, study.trials())
