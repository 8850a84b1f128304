# SPDX-License-Identifier: Apache-2.0
"""The flags of the commands that take a configuration: plan, run and search."""

from __future__ import annotations

from absl import flags

from dropout_jax.sweeps.described import SEEDS
from dropout_jax.sweeps.execution import define_execution


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
    flags.DEFINE_boolean(
        "accept_changes",
        False,
        "Go on with a study whose results were computed with other data, another "
        "plugin or other settings of JAX; the report keeps the rows apart.",
        flag_values=flag_values,
    )
