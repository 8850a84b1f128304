# SPDX-License-Identifier: Apache-2.0
"""The command `protocol`: its flags, and the course of a staged comparison."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from dropout_jax.config.causes import writing
from dropout_jax.files import make_private
from dropout_jax.slow import told_if_slow
from dropout_jax.sweeps import commands
from dropout_jax.sweeps.chosen import chosen
from dropout_jax.sweeps.described import name_of
from dropout_jax.sweeps.execution import (
    EXECUTORS,
    check_execution,
    connection,
    define_execution,
    execute,
)
from dropout_jax.sweeps.protocol import GATE, SEARCH, STAGES, load_protocol
from dropout_jax.sweeps.study import StudyDirectory
from dropout_jax.sweeps.trials import Trial
from dropout_jax.terminal import Console, say


def define_protocol(flag_values: flags.FlagValues) -> None:
    """Defines the flags of `protocol`."""
    flags.DEFINE_string(
        "ledgers",
        "",
        "Directory of the ledgers, one file for each stage of each cell; trials that "
        "have a line are not run again. When left out, ledgers in the study's "
        "directory.",
        flag_values=flag_values,
    )
    flags.DEFINE_list(
        "cells", [], "Only these, comma-separated; empty: all.", flag_values=flag_values
    )
    flags.DEFINE_list(
        "stages",
        list(STAGES),
        f"Only these of {', '.join(STAGES)}.",
        flag_values=flag_values,
    )
    flags.DEFINE_boolean(
        "accept_ends",
        False,
        "Go on with cells in which a search chose at an end of a grid.",
        flag_values=flag_values,
    )
    flags.DEFINE_boolean(
        "accept_gate",
        False,
        "Go on with cells in which a method fails the convergence gate.",
        flag_values=flag_values,
    )
    flags.DEFINE_boolean(
        "status",
        False,
        "Only say what is done and what is left.",
        flag_values=flag_values,
    )
    define_execution(flag_values)


def protocol(flag_values: flags.FlagValues) -> int:
    """Runs a staged comparison over cells as far as time allows."""
    # Here, so that the other commands do not wait for SciPy.
    from dropout_jax.sweeps.choices_file import write_choices
    from dropout_jax.sweeps.course import Course, go_on
    from dropout_jax.sweeps.course_display import show_choices, show_gate, show_left
    from dropout_jax.sweeps.local import default_lanes, default_workers

    check_execution(flag_values)
    asked = flag_values.workers
    wanted = load_protocol(flag_values.config_file)
    cells = chosen("cells", flag_values.cells or list(wanted.cells), wanted.cells)
    stages = chosen("stages", flag_values.stages, STAGES)
    study = Path(flag_values.study)
    ledgers = Path(flag_values.ledgers or study / "ledgers")
    name = name_of(flag_values.config_file)
    console, code = Console(), 0
    with told_if_slow(lambda line: say(console, line), "checking every setting"):
        course = Course(wanted, flag_values.config, name, study, ledgers)
    workers = flag_values.workers or default_workers()
    if flag_values.executor == EXECUTORS[0]:
        # As many threads in each worker however few trials a stage has left.
        flag_values.workers = workers

    def run(stage: StudyDirectory, trials: Sequence[Trial], left: float) -> None:
        nonlocal code
        held.enter_context(connection(flag_values))  # once there is something to run
        execute(stage, trials, flag_values, minutes=left, console=console)
        code = max(code, commands.say_failed(stage, trials))

    def ended(cell: str, stage: str) -> None:
        if stage == SEARCH:
            show_choices(course, cell, console)
        if stage == GATE:
            show_gate(course, cell, console)
        write_choices(course, cell, ledgers)

    if not flag_values.status:
        command = shlex.join(["python", "-m", "dropout_jax.sweeps", *sys.argv[1:]])
        with writing(study, 0):
            make_private(study)
        with contextlib.ExitStack() as held:
            go_on(
                course,
                run,
                cells=cells,
                stages=stages,
                lanes=flag_values.lanes or default_lanes(),
                minutes=flag_values.minutes,
                accept_ends=flag_values.accept_ends,
                accept_gate=flag_values.accept_gate,
                reporting={"baseline": wanted.baseline, "command": command},
                ended=ended,
                console=console,
            )
    show_left(course, asked or course.workers() or workers, console)
    return code
