# SPDX-License-Identifier: Apache-2.0
"""`python -m dropout_jax.reports --ledger=results/small_data.jsonl --out=report`."""

import shlex
import sys
from collections.abc import Sequence

from rich.console import Console

from dropout_jax.config.arguments import Parser
from dropout_jax.config.command_line import guarded
from dropout_jax.reports import TerminalTable, load_study, tabulate, write_report
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
    study = load_study(
        options.ledger,
        name=options.study,
        knobs=options.knobs,
        accept_changes=options.accept_changes,
    )
    paths = write_report(
        study,
        options.out,
        title=options.title or f"Study {study.name}",
        baseline=options.baseline,
        command=f"{parser.prog} {again}",
    )
    console = Console()
    console.print(TerminalTable(tabulate(study, baseline=options.baseline)))
    console.print(str(paths["report.html"]), markup=False, highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
