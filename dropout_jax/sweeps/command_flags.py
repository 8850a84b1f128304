# SPDX-License-Identifier: Apache-2.0
"""The flags of the commands that take a configuration: plan, run and search."""

from __future__ import annotations

from absl import flags

from dropout_jax.sweeps.described import SEEDS

EXECUTORS = ("local", "ray")


def define_plan(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `plan`."""
    flags.DEFINE_integer(
        "seeds",
        SEEDS,
        "Number of seeds, from 0, with which every setting is run.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_list(
        "arms",
        [],
        "Only these, comma-separated; when left out, all.",
        flag_values=flag_values,
    )
    define_ledger(flag_values)


def define_ledger(flag_values: flags.FlagValues) -> None:
    """Defines --ledger."""
    flags.DEFINE_string(
        "ledger",
        "",
        "File with one line per finished trial; trials that have a line are not run "
        "again. When left out, ledger.jsonl in the study's directory.",
        flag_values=flag_values,
    )


def define_run(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `run`."""
    define_plan(flag_values)
    define_execution(flag_values)
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
        "local",
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


def define_execution(flag_values: flags.FlagValues) -> None:
    """Defines the flags that say who runs the trials, and for how long."""
    flags.DEFINE_integer(
        "workers",
        0,
        "Number of worker processes; 0: one per GPU, or per core.",
        lower_bound=0,
        flag_values=flag_values,
    )
    define_minutes(flag_values)


def define_minutes(flag_values: flags.FlagValues) -> None:
    """Defines --minutes."""
    flags.DEFINE_float(
        "minutes",
        0.0,
        "Begin no new trial after so many minutes; 0: run to the end.",
        lower_bound=0.0,
        flag_values=flag_values,
    )
