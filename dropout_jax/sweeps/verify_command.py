# SPDX-License-Identifier: Apache-2.0
"""The command `verify`: some trials of a ledger are trained again."""

from __future__ import annotations

import os
from collections.abc import Sequence

from dropout_jax.config.arguments import Parser
from dropout_jax.config.errors import Interrupted, UserError
from dropout_jax.config.near_files import hint_of_path
from dropout_jax.config.places import NOTHING, missing
from dropout_jax.slow import told_if_slow
from dropout_jax.sweeps import commands
from dropout_jax.sweeps.ledger import Ledger
from dropout_jax.terminal import Console, say


def verify(arguments: Sequence[str]) -> int:
    """Trains trials of a ledger again, and says whether they give the same bits.

    They compute with the threads of the ledger's run; with one thread any x86-64
    processor is to give the same (docs/reproducibility.md). Exit code 1: one did not.
    """
    parser = Parser("python -m dropout_jax.sweeps verify", verify.__doc__)
    parser.add_argument("--ledger", required=True, help="file with the lines")
    parser.add_argument(
        "--trials", type=int, default=10, help="so many, spread over the file"
    )
    commands.add_trust(parser)
    options = parser.parse_args(arguments)
    if options.trials < 1:
        raise UserError(f"--trials={options.trials}: must be 1 or more")
    if not os.path.isfile(options.ledger):
        why = missing(options.ledger) or "it is a directory"
        near = hint_of_path(options.ledger, "*.jsonl") if why == NOTHING else ""
        raise UserError(
            f"--ledger={options.ledger}: there is no such file; {why}{near}"
        )
    ledger = Ledger(options.ledger)
    lines = [line for line in ledger.by_trial().values() if line.get("parts")]
    if not lines:
        raise UserError(
            f"--ledger={options.ledger}: no line says with how many threads it was "
            "computed; give a ledger of format 2"
        )
    threads = {line["parts"][-1]["threads"] for line in lines}
    if len(threads) > 1:
        counts = ", ".join(map(str, sorted(threads)))
        raise UserError(
            f"--ledger={options.ledger}: its runs have {counts} threads; give one "
            "whose runs all have as many"
        )
    plugins = {str(line["config"].get("plugin", "")) for line in lines} - {""}
    commands.refuse_plugins(plugins, f"--ledger {options.ledger}", options)
    from dropout_jax.sweeps.local import take_share

    take_share(0, 1, threads.pop())
    from dropout_jax.training import portable

    portable.enable()
    from dropout_jax.sweeps.verify import repeat, spread

    console, code = Console(), 0
    wanted = spread(lines, options.trials)
    for number, line in enumerate(wanted):
        what = f"{line['arm']} seed {line['seed']} {line['trial'][:12]}"
        training = f"[{number + 1}/{len(wanted)}] {what}: training it again"
        try:
            with told_if_slow(lambda said: say(console, said), training):
                differing = repeat(line)
        except Interrupted as stopped:  # nothing of it is kept
            say(console, f"interrupted: {number} of {len(wanted)} trials are compared")
            return stopped.exit_code
        found = "equal" if not differing else f"differs in {', '.join(differing)}"
        say(console, f"{what}: {found}")
        code = max(code, bool(differing))
    return int(code)
