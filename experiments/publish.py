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
from pathlib import Path

import conduct

from dropout_jax import reports
from dropout_jax.config.loading import load_module

README = conduct.ROOT / "README.md"
PICTURES = conduct.ROOT / "docs" / "results"
FIGURES = ("accuracy.png", "curves.png")


def published() -> dict[str, tuple[str, dict[str, int] | None]]:
    """Returns baseline and search budget of each study, by the name of its ledger."""
    compare = load_module(conduct.ROOT / "configs" / "compare.py")
    studies = {
        model: (compare.BASELINE, compare.budget(model)) for model in compare.METHODS
    }
    for name in ("course", "small_data"):
        config = load_module(conduct.ROOT / "configs" / f"{name}.py")
        studies[name] = (config.BASELINE, None)
    return studies


def section(name: str, baseline: str, budget: dict[str, int] | None) -> str:
    """Returns the Markdown of one study and stores its figures."""
    study = reports.load_study(conduct.ROOT / "results" / f"{name}.jsonl")
    table = reports.tabulate(study, baseline=baseline, search_budget=budget)
    with tempfile.TemporaryDirectory() as directory:
        written = reports.write_report(
            study, directory, title=name, baseline=baseline, search_budget=budget
        )
        for figure in FIGURES:
            (PICTURES / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(written[figure], PICTURES / name / figure)
    pictures = "\n".join(
        f"![{name}: {Path(figure).stem}](docs/results/{name}/{figure})"
        for figure in FIGURES
    )
    why = "\n".join(f"- {note}" for note in reports.gap_notes(study, baseline))
    return f"{reports.markdown(table)}\n{pictures}\n\n{why}\n"


def main() -> int:
    """Fills every pair of markers; returns the exit code."""
    text = README.read_text(encoding="utf-8")
    for name, (baseline, budget) in published().items():
        if not (conduct.ROOT / "results" / f"{name}.jsonl").exists():
            continue
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        body = section(name, baseline, budget)
        text, found = re.subn(
            pattern, lambda m, body=body: m[1] + body + m[2], text, flags=re.DOTALL
        )
        if found != 1:
            print(f"error: README.md has {found} places for {name}", file=sys.stderr)
            return 2
    README.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
