# SPDX-License-Identifier: Apache-2.0
"""The commands of `python -m dropout_jax.sweeps`, one function for each."""

from __future__ import annotations

import argparse
import ctypes
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags
from rich.console import Console

from dropout_jax import terminal
from dropout_jax.config import canonical
from dropout_jax.config.arguments import Parser
from dropout_jax.config.causes import reading
from dropout_jax.config.errors import UserError, one_line
from dropout_jax.config.flat import flat
from dropout_jax.config.loading import load_config
from dropout_jax.config.near_files import hint_of_path
from dropout_jax.config.schema import BY_PATH
from dropout_jax.sweeps import inputs
from dropout_jax.sweeps.described import planned, reporting
from dropout_jax.sweeps.execution import add_execution, check_execution, execute
from dropout_jax.sweeps.search import load_search
from dropout_jax.sweeps.searching import progress
from dropout_jax.sweeps.status import show_status
from dropout_jax.sweeps.study import StudyDirectory, open_study, unfinished
from dropout_jax.sweeps.trials import Trial, knobs, names
from dropout_jax.terminal import say
from dropout_jax.training.fingerprint import ACCEPT

_RUN_WITH = "Run with"  # how the note on changed fields begins
_PR_SET_PDEATHSIG = 1  # of Linux's prctl.h


def trials_of(flag_values: flags.FlagValues) -> list[Trial]:
    """Returns the trials that the flags of `plan` ask for, all validated."""
    return planned(
        flag_values.config_file,
        flag_values.config,
        flag_values.seeds,
        flag_values.arms,
    )


def plan(flag_values: flags.FlagValues) -> int:
    """Says what there is to do; nothing is run or written."""
    trials = trials_of(flag_values)
    from dropout_jax.sweeps.preview import preview

    study, console = (
        StudyDirectory(flag_values.study, flag_values.ledger),
        terminal.Console(),
    )
    preview(trials, study.ledger, console)
    try:
        inputs.check(study, [*study.known_trials(), *trials])
    except UserError as error:  # `run` will refuse, or be told to accept it
        say(console, f"as it is now, `run` will not run: {error}")
    return 0


def run(flag_values: flags.FlagValues) -> int:
    """Runs what is missing, then reports."""
    check_execution(flag_values)
    trials = trials_of(flag_values)
    study = StudyDirectory(flag_values.study, flag_values.ledger)
    command = shlex.join(["python", "-m", "dropout_jax.sweeps", *sys.argv[1:]])
    told = _told(study, reporting(flag_values.config_file), command)
    if changed := _changed(flag_values):
        told["notes"] = list(dict.fromkeys([*told.get("notes", ()), changed]))
    from dropout_jax.sweeps.local import default_lanes

    console = terminal.Console()
    say_new_ledger(flag_values.ledger, console)
    lanes = flag_values.lanes or default_lanes()
    accept = flag_values.accept_changes
    found = inputs.check(study, [*study.known_trials(), *trials], accept=accept)
    new = study.extend(trials, lanes=lanes, reporting=told)
    study.remember(**found)
    if new < len(trials):
        say(console, f"{new} of {len(trials)} trials are new to the plan")
    return _finish(study, trials, flag_values, console)


def say_new_ledger(ledger: str, console: Console) -> None:
    """Says that a ledger begins, where another one's name is like it."""
    near = hint_of_path(ledger, "*.jsonl") if ledger else ""
    if near and not Path(ledger).exists():
        say(console, f"--ledger={ledger} begins, without any result{near}")


def _told(
    study: StudyDirectory, described: dict[str, Any], command: str
) -> dict[str, Any]:
    """Returns how to report, with every command and note that made the study."""
    before = (study.about() or {"reporting": {}})["reporting"]
    commands = [*str(before.get("command", "")).splitlines(), command]
    changes = [n for n in before.get("notes", ()) if n.startswith(_RUN_WITH)]
    notes = [*described.get("notes", ()), *changes]
    told = {**described, "command": "\n".join(dict.fromkeys(commands))}
    return {**told, "notes": list(dict.fromkeys(notes))} if notes else told


def _changed(flag_values: flags.FlagValues) -> str:
    """Says how flags change what the config file describes; "" if they do not."""
    described = flat(canonical(load_config(flag_values.config_file)))
    wanted = flat(canonical(flag_values.config))
    changed = [
        f"{path}={value}"
        for path, value in wanted.items()
        # What belongs to the machine changes nothing; the seeds are the trials' own.
        if BY_PATH[path].identity and path != "seed" and described[path] != value
    ]
    if not changed:
        return ""
    return f"{_RUN_WITH} {', '.join(changed)}, unlike what the config file says."


def _finish(
    study: StudyDirectory,
    trials: Sequence[Trial],
    options: flags.FlagValues | argparse.Namespace,
    console: Console,
) -> int:
    execute(study, trials, options, minutes=options.minutes, console=console)
    code = say_failed(study, trials)
    if len(unfinished(study, trials)) < len(trials):
        # All of the plan: a command for some methods must not replace the others.
        show_report(study, study.trials(), console)
    return code


def say_failed(study: StudyDirectory, trials: Sequence[Trial]) -> int:
    """Names the trials that were given up, each with its reason; returns 1 if any."""
    given_up, named = study.given_up(), names(study.trials())
    failed = [trial for trial in trials if trial.id in given_up]
    for trial in failed:
        print(
            one_line(f"failed: {named[trial.id]}: {given_up[trial.id]}; see ")
            + str(study.path / "failures" / trial.id),
            file=sys.stderr,
        )
    return 1 if failed else 0


def resume(arguments: Sequence[str], *, again: bool = False) -> int:
    """Goes on with a study; `again`: failed trials have a new chance."""
    parser = _parser("retry" if again else "resume", resume.__doc__)
    parser.add_argument("--study", required=True, help="directory of the study")
    add_execution(parser)
    add_trust(parser)
    _add_accept(parser)
    options = parser.parse_args(arguments)
    check_execution(options)
    study, console = open_study(options.study), terminal.Console()
    _check_trust(study, options)
    search = load_search(study)
    if search is not None and options.accept_changes:
        raise UserError(
            f"--study {study.path} is a search, whose choice must not compare results "
            f"of different inputs: {ACCEPT} is for other studies; begin another search"
        )
    more = [] if search is None else [search.base]
    accept = options.accept_changes
    found = inputs.check(
        study, study.trials(), more=more, accept=accept, search=search is not None
    )
    study.remember(**found)
    if again:
        say(console, f"{study.forget_failures()} failed trials have a new chance")
    if search is not None:
        from dropout_jax.sweeps.search_command import finish

        return finish(study, search, options, console)
    return _finish(study, study.trials(), options, console)


def _parser(command: str, description: str | None) -> Parser:
    return Parser(f"python -m dropout_jax.sweeps {command}", description)


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Adds the flag that a command needs for plugins named by a file."""
    parser.add_argument(
        "--trust_plugin",
        action="store_true",
        help="import the plugins that the plan names; they are Python code",
    )


def _add_accept(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(ACCEPT, action="store_true", help="as of `run`")


def _check_trust(study: StudyDirectory, options: argparse.Namespace) -> None:
    plugins = {str(trial.values.get("plugin", "")) for trial in study.trials()} - {""}
    refuse_plugins(plugins, f"--study {study.path}", options)


def refuse_plugins(
    plugins: set[str], named_by: str, options: argparse.Namespace
) -> None:
    """Raises UserError for plugins that nobody trusted with `--trust_plugin`."""
    if plugins and not options.trust_plugin:
        from dropout_jax.training.plugin import refuse_unknown  # imports JAX

        for plugin in sorted(plugins):
            refuse_unknown(plugin, named_by, "--trust_plugin")


def status(arguments: Sequence[str]) -> int:
    """Says how far a study is, and who is at what."""
    parser = _parser("status", status.__doc__)
    parser.add_argument("--study", required=True, help="directory of the study")
    study, console = open_study(parser.parse_args(arguments).study), terminal.Console()
    show_status(study, console)
    if (search := load_search(study)) is not None:
        say(console, progress(study, search))
    return 0


def report(arguments: Sequence[str]) -> int:
    """Writes and prints what a study has found so far."""
    parser = _parser("report", report.__doc__)
    parser.add_argument("--study", required=True, help="directory of the study")
    _add_accept(parser)
    options = parser.parse_args(arguments)
    study, console = open_study(options.study), terminal.Console()
    if (search := load_search(study)) is not None:
        from dropout_jax.sweeps.winners import show_winners

        show_winners(study, search, console)
        return 0
    show_report(study, study.trials(), console, accept=options.accept_changes)
    return 0


def show_report(
    study: StudyDirectory,
    trials: Sequence[Trial],
    console: Console,
    *,
    accept: bool = False,
) -> None:
    """Writes the report of a study into `report/`, and prints its table.

    Args:
      study: the directory.
      trials: those of its plan that are reported.
      console: where to.
      accept: whether results of different inputs are reported, each in a row of its
        own; where the study has accepted them, they are.
    """
    # From here on the study is its files: what is above this room reads nothing else.
    from dropout_jax import reports

    about = study.about() or {}
    told = {"title": f"Study {about['name']}", **about["reporting"]}
    told.setdefault("baseline", trials[0].arm)
    chosen = study.write_lines(trials)
    accept = accept or bool(about.get("accepted"))
    found = reports.load_study(chosen, knobs=knobs(trials), accept_changes=accept)
    notes = (*reports.gap_notes(found, told["baseline"]), *told.pop("notes", ()))
    arms = tuple(dict.fromkeys([told["baseline"], *(trial.arm for trial in trials)]))
    written = reports.write_report(
        found, study.path / "report", arms=arms, notes=notes, **told
    )
    beside = {k: told[k] for k in ("search_budget", "published") if k in told}
    table = reports.tabulate(found, baseline=told["baseline"], arms=arms, **beside)
    console.print(reports.TerminalTable(table))
    say(console, f"report: {written['report.html']}")


def work(arguments: Sequence[str]) -> int:
    """Runs trials of a study; what executors start, on this machine or another."""
    parser = _parser("work", work.__doc__)
    parser.add_argument("--study", required=True, help="directory of the study")
    parser.add_argument("--name", required=True, help="of the worker, for its files")
    parser.add_argument("--wanted", default="", help="file with ids of trials")
    parser.add_argument("--share", default="0/1", help="of the machine: NUMBER/OF")
    parser.add_argument("--threads", type=int, default=0, help="cores of the share")
    parser.add_argument("--gpu", default="", help="that it computes on, if any")
    parser.add_argument("--minutes", type=float, default=0.0, help="as of `run`")
    add_trust(parser)
    options = parser.parse_args(arguments)
    # Who started this process may be killed: no worker outlives it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    from dropout_jax.sweeps.local import keep_nice, take_share

    keep_nice()
    number, of = map(int, options.share.split("/"))
    take_share(number, of, options.threads, options.gpu)
    from dropout_jax.training import portable

    portable.enable()
    from dropout_jax.sweeps import heartbeat
    from dropout_jax.sweeps.worker import work as go
    from dropout_jax.sweeps.worker_progress import HeartbeatProgress

    study = open_study(options.study)
    _check_trust(study, options)
    trials = study.trials()
    if options.wanted:
        with reading(Path(options.wanted)):
            wanted = set(Path(options.wanted).read_text().split())
        trials = [trial for trial in trials if trial.id in wanted]
    beat = study.path / "workers" / f"{options.name}.json"
    try:
        go(
            study,
            trials,
            minutes=options.minutes,
            workers=of,
            progress=lambda *what: HeartbeatProgress(beat, *what),
            waiting=lambda: heartbeat.write(beat, heartbeat.WAITING),
        )
    finally:
        beat.unlink(missing_ok=True)
    return 0
