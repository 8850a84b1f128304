# SPDX-License-Identifier: Apache-2.0
"""Writes the results of the published studies into README.md and docs/results/.

python experiments/publish.py

Reads the committed ledgers under results/ and trains nothing: every number between
the markers of README.md comes out of this command.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import conduct

from dropout_jax import reports
from dropout_jax.config.loading import load_module

README = conduct.ROOT / "README.md"
PICTURES = conduct.ROOT / "docs" / "results"
FIGURES = ("accuracy.png", "curves.png")


class Described(NamedTuple):
    """What a config says of its study, beside the runs."""

    options: dict[str, Any]  # of `reports.tabulate`
    notes: Sequence[str]


def published() -> dict[str, Described]:
    """Returns what is said of each study, by the name of its ledger."""
    compare = load_module(conduct.ROOT / "configs" / "compare.py")
    studies = {}
    for model in compare.METHODS:
        options = {
            "baseline": compare.BASELINE,
            "arms": tuple(compare.METHODS[model]),
            "search_budget": compare.budget(model),
        }
        studies[model] = Described(options, compare.notes(model))
    for name in ("course", "small_data"):
        config = load_module(conduct.ROOT / "configs" / f"{name}.py")
        options = {
            "baseline": config.BASELINE,
            "arms": tuple(config.ARMS),
            "published": config.PUBLISHED,
        }
        studies[name] = Described(options, config.NOTES)
    return studies


def section(name: str, described: Described, study: reports.Study) -> str:
    """Returns the Markdown of one study."""
    table = reports.tabulate(study, **described.options)
    pictures = "\n".join(
        f"![{name}: {Path(figure).stem}](docs/results/{name}/{figure})"
        for figure in FIGURES
    )
    notes = (*described.notes, *reports.gap_notes(study, described.options["baseline"]))
    why = "\n".join(f"- {note}" for note in notes)
    return f"{reports.markdown(table)}\n{pictures}\n\n{why}\n"


def store_figures(name: str, described: Described, study: reports.Study) -> None:
    """Draws the figures that the section shows."""
    with tempfile.TemporaryDirectory() as directory:
        written = reports.write_report(
            study, directory, title=name, **described.options
        )
        for figure in FIGURES:
            (PICTURES / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(written[figure], PICTURES / name / figure)


def main() -> int:
    """Fills every pair of markers; returns the exit code."""
    text = README.read_text(encoding="utf-8")
    for name, described in published().items():
        ledger = conduct.ROOT / "results" / f"{name}.jsonl"
        if not ledger.exists():
            continue
        study = reports.load_study(ledger)
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        body = section(name, described, study)
        text, found = re.subn(
            pattern, lambda m, body=body: m[1] + body + m[2], text, flags=re.DOTALL
        )
        if found != 1:
            print(f"error: README.md has {found} places for {name}", file=sys.stderr)
            return 2
        store_figures(name, described, study)
    README.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
