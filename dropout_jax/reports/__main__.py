# SPDX-License-Identifier: Apache-2.0
"""`python -m dropout_jax.reports --ledger=results/small_data.jsonl --out=report`."""

import shlex
import sys
from collections.abc import Sequence

from dropout_jax.config.arguments import Parser
from dropout_jax.config.guard import guarded
from dropout_jax.training.fingerprint import ACCEPT


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes a report and prints its table; 2 on bad input, with one line."""
    return guarded(lambda: report(arguments))


def report(arguments: Sequence[str] | None) -> int:
    """Does so, and raises what is wrong."""
    parser = Parser(
        "python -m dropout_jax.reports",
        "Turns the ledger of a study into a table, figures and a page.",
    )
    parser.add_argument("--ledger", required=True, nargs="+", help="JSONL file(s)")
    parser.add_argument("--out", required=True, help="directory of the report")
    parser.add_argument("--study", help="which study, where the ledger holds several")
    parser.add_argument("--baseline", default="none", help="method to compare with")
    parser.add_argument(
        "--knobs",
        nargs="+",
        default=[],
        metavar="FIELD",
        help="fields that a method was tried with several values of, such as "
        "noise.rates; the setting is chosen on validation",
    )
    parser.add_argument("--title", help="heading of the page")
    parser.add_argument(
        ACCEPT,
        action="store_true",
        help="report results of different data, plugins or settings of JAX as methods "
        "of their own",
    )
    options = parser.parse_args(arguments)
    again = shlex.join(sys.argv[1:] if arguments is None else arguments)
    # Matplotlib and SciPy, for which what is wrong with the flags need not wait.
    from dropout_jax import reports, terminal

    console = terminal.Console()
    study = reports.load_study(
        options.ledger,
        name=options.study,
        knobs=options.knobs,
        accept_changes=options.accept_changes,
    )
    paths = reports.write_report(
        study,
        options.out,
        title=options.title or f"Study {study.name}",
        baseline=options.baseline,
        command=f"{parser.prog} {again}",
    )
    table = reports.tabulate(study, baseline=options.baseline)
    console.print(reports.TerminalTable(table))
    terminal.say(console, str(paths["report.html"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
