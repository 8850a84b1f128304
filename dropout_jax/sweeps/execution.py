# SPDX-License-Identifier: Apache-2.0
"""Who runs the trials: worker processes of this machine, or of a Ray cluster."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence

from absl import flags
from rich.console import Console

from dropout_jax.config.errors import UserError
from dropout_jax.sweeps import kept, shares
from dropout_jax.sweeps.study import StudyDirectory, unfinished
from dropout_jax.sweeps.trials import Trial
from dropout_jax.terminal import say

EXECUTORS = ("local", "ray")


def define_execution(flag_values: flags.FlagValues) -> None:
    """Defines the flags that say who runs the trials, how many at once, how long."""
    flags.DEFINE_integer(
        "workers",
        0,
        "Number of worker processes; 0: as the study began, at first one per GPU or "
        "core. Each has the same number of cores.",
        lower_bound=0,
        flag_values=flag_values,
    )
    flags.DEFINE_float(
        "minutes",
        0.0,
        "Begin no new trial after so many minutes; 0: run to the end.",
        lower_bound=0.0,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "lanes",
        0,
        "How many trials of one program train in step; 0: as many as pay here. Fixed "
        "when the study begins.",
        lower_bound=0,
        flag_values=flag_values,
    )
    flags.DEFINE_enum(
        "executor",
        EXECUTORS[0],
        EXECUTORS,
        "Who places the workers: this machine, or a Ray cluster.",
        flag_values=flag_values,
    )
    flags.DEFINE_string(
        "address",
        "",
        "Of the Ray cluster, HOST:PORT; when left out, one is started here.",
        flag_values=flag_values,
    )

    flags.DEFINE_boolean(kept.FLAG, False, kept.HELP, flag_values=flag_values)


def add_execution(parser: argparse.ArgumentParser) -> None:
    """Adds the same to a command that goes on with a study, whose lanes are fixed."""
    parser.add_argument("--workers", type=_count, default=0, help="as of `run`")
    parser.add_argument("--minutes", type=float, default=0.0, help="as of `run`")
    parser.add_argument(
        "--executor", choices=EXECUTORS, default=EXECUTORS[0], help="as of `run`"
    )
    parser.add_argument("--address", default="", help="as of `run`")
    parser.add_argument(f"--{kept.FLAG}", action="store_true", help=kept.HELP)


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes")
    return int(text)


def check_execution(options: flags.FlagValues | argparse.Namespace) -> None:
    """Raises UserError for options that do not go together."""
    if options.address and options.executor != "ray":
        raise UserError(f"--address={options.address} needs --executor=ray")


def connection(
    options: flags.FlagValues | argparse.Namespace,
) -> contextlib.AbstractContextManager[object]:
    """Returns what calls of `execute` share while it is open: the Ray cluster, if any.

    Without it each call connects by itself. Opened again while open, it is the same.
    """
    if options.executor == "ray":
        from dropout_jax.sweeps.ray_cluster import connected

        return connected(options.address)
    return contextlib.nullcontext()


def execute(
    study: StudyDirectory,
    trials: Sequence[Trial],
    options: flags.FlagValues | argparse.Namespace,
    *,
    minutes: float,
    console: Console,
) -> None:
    """Runs what the ledger does not have yet of some trials, as the options say.

    Args:
      study: the directory; the trials are in its plan.
      trials: those that are wanted.
      options: with `workers`, `executor`, `address` and `keep_checkpoints`.
      minutes: no new trial begins after so many minutes; 0 for no limit.
      console: where progress is shown.
    """
    left = len(unfinished(study, trials))
    if not left:
        return
    if options.keep_checkpoints:
        kept.keep(study)
    if options.executor == "ray":
        from dropout_jax.sweeps.ray_executor import run_ray

        began = None if options.workers else shares.remembered(study)
        run_ray(
            study,
            trials,
            workers=began.workers if began else options.workers,
            threads=began.threads if began else 0,
            minutes=minutes,
            address=options.address,
            console=console,
        )
        return
    from dropout_jax.sweeps.local import divide, run_local

    divided, said = divide(study, left, options.workers)
    if said:
        say(console, said)
    run_local(
        study,
        trials,
        workers=divided.workers,
        threads=divided.threads,
        minutes=minutes,
        console=console,
    )
