# SPDX-License-Identifier: Apache-2.0
"""Writes the answer of a protocol from its ledgers.

python -m dropout_jax.reports.answer --config=configs/answer.py \
  --ledgers=results/answer --out=docs/results/answer --page=docs/answer.md
"""

import shlex
import sys
from collections.abc import Sequence

from dropout_jax.config.arguments import Parser
from dropout_jax.config.guard import guarded


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes an answer; 2 on bad input, with one line."""
    return guarded(lambda: answer(arguments))


def answer(arguments: Sequence[str] | None) -> int:
    """Does so, and raises what is wrong."""
    parser = Parser(
        "python -m dropout_jax.reports.answer",
        "Judges the final runs of a protocol and writes tables, figures and a page.",
    )
    parser.add_argument("--config", required=True, help="file with protocol()")
    parser.add_argument("--ledgers", required=True, help="directory of the ledgers")
    parser.add_argument("--out", required=True, help="directory of the results")
    parser.add_argument(
        "--page",
        help="Markdown page, of which the part between <!-- answer --> and "
        "<!-- /answer --> is replaced; answer.md in the directory when left out",
    )
    options = parser.parse_args(arguments)
    again = shlex.join(sys.argv[1:] if arguments is None else arguments)
    # Matplotlib and SciPy, for which what is wrong with the flags need not wait.
    from dropout_jax.reports.answer.reading import read_cells
    from dropout_jax.reports.answer.words import state
    from dropout_jax.reports.answer.write import write_answer
    from dropout_jax.terminal import Console, say

    cells = read_cells(options.config, options.ledgers)
    written = write_answer(
        cells, options.out, document=options.page, command=f"{parser.prog} {again}"
    )
    console = Console()
    for cell in cells:
        said = " ".join(state(cell)) or "Finished."
        say(console, f"{cell.name}: {said}")
    *_, page = written.values()
    say(console, str(page))
    return 0


if __name__ == "__main__":
    sys.exit(main())
