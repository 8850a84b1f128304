# SPDX-License-Identifier: Apache-2.0
"""Studies from the command line: many training runs, and one answer.

python -m dropout_jax.sweeps plan   --config=configs/sweeps/rates.py
python -m dropout_jax.sweeps run    --config=configs/sweeps/rates.py --study=studies/a
python -m dropout_jax.sweeps search --config=configs/compare.py:mlp --study=studies/b
python -m dropout_jax.sweeps protocol --config=configs/answer.py --study=studies/c
python -m dropout_jax.sweeps status --study=studies/a
python -m dropout_jax.sweeps resume --study=studies/a
python -m dropout_jax.sweeps retry  --study=studies/a
python -m dropout_jax.sweeps report --study=studies/a
python -m dropout_jax.sweeps verify --ledger=results/answer/mlp_1000_final.jsonl

`plan` checks every trial and says what there is to do. `run` does it; the same command
again, or `resume`, goes on where it stopped. `search` chooses hyperparameters; the
commands below it are for its directories too. `protocol` compares methods in stages,
over several models and sizes. `retry` gives failed trials a new chance.
`verify` trains trials of a ledger again and compares every digest.
`COMMAND --help` lists the flags.
"""

from __future__ import annotations

import signal

# Ctrl-C while the imports below are going on: an end, and no traceback.
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dropout_jax.config import command_line
from dropout_jax.config.alike import closest
from dropout_jax.config.errors import UserError
from dropout_jax.config.guard import guarded
from dropout_jax.sweeps import (
    command_flags,
    commands,
    protocol_command,
    search_command,
    verify_command,
)

WITH_CONFIG = {
    "plan": (commands.plan, command_flags.define_plan),
    "run": (commands.run, command_flags.define_run),
    "search": (search_command.search, search_command.define_search),
    "protocol": (protocol_command.protocol, protocol_command.define_protocol),
}
WITHOUT_CONFIG: dict[str, Callable[[Sequence[str]], int]] = {
    "status": commands.status,
    "resume": commands.resume,
    "retry": lambda arguments: commands.resume(arguments, again=True),
    "report": commands.report,
    "verify": verify_command.verify,
    "work": commands.work,
}
CONFIGS = Path(__file__).parents[2] / "configs"
EXAMPLES = {"search": CONFIGS / "compare.py", "protocol": CONFIGS / "answer.py"}


def main(argv: Sequence[str]) -> int:
    """Returns the exit code of a command line, program first."""
    name = argv[1] if len(argv) > 1 else "--help"
    if name in ("-h", "-help", "--help"):
        return guarded(lambda: print((__doc__ or "").strip()), shows=True)
    if name in WITH_CONFIG:
        command, define = WITH_CONFIG[name]
        return command_line.main(
            command,
            description=command.__doc__,
            default_config=EXAMPLES.get(name, CONFIGS / "sweeps" / "rates.py"),
            default_workdir="." if name == "plan" else "",
            directory="study",
            define=define,
            shows=name == "plan",
            argv=[f"{argv[0]} {name}", *argv[2:]],
        )

    def on_study() -> int:
        if name not in WITHOUT_CONFIG:
            known = [*WITH_CONFIG, *WITHOUT_CONFIG]
            near = closest(name, known, least=0.0)
            raise UserError(f"{name!r} is no command: the nearest is {near}")
        return WITHOUT_CONFIG[name](argv[2:])

    return guarded(on_study, shows=name == "status")


if __name__ == "__main__":
    sys.exit(main(sys.argv))
