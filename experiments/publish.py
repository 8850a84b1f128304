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
from typing import Any

from dropout_jax import reports
from dropout_jax.config.loading import load_config
from dropout_jax.sweeps.described import planned, reporting

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PICTURES = ROOT / "docs" / "results"
FIGURES = ("accuracy.png", "curves.png")
# The config of each study, by the name of its ledger.
STUDIES = {
    "compare_mlp": "configs/compare.py:mlp",
    "compare_cnn": "configs/compare.py:cnn",
    "compare_rnn": "configs/compare.py:rnn",
    "far": "configs/sweeps/far.py",
    "small_data": "configs/sweeps/small_data.py",
    "course": "configs/sweeps/course.py",
}


def ledger(name: str) -> Path:
    """Returns the file of a study's finished trials."""
    return ROOT / "results" / f"{name}.jsonl"


def published() -> dict[str, dict[str, Any]]:
    """Returns what is said of each study that has results, by name.

    Beside what its config file says on how to report: its arms, in order.
    """
    studies = {}
    for name, config in STUDIES.items():
        if ledger(name).exists():
            file = f"{ROOT}/{config}"
            trials = planned(file, load_config(file), seeds=1)
            arms = tuple(dict.fromkeys(trial.arm for trial in trials))
            studies[name] = {**reporting(file), "arms": arms}
    return studies


def section(name: str, described: dict[str, Any], study: reports.Study) -> str:
    """Returns the Markdown of one study."""
    options = {k: v for k, v in described.items() if k not in ("title", "notes")}
    table = reports.tabulate(study, **options)
    pictures = "\n".join(
        f"![{name}: {Path(figure).stem}](docs/results/{name}/{figure})"
        for figure in FIGURES
    )
    told = described.get("notes", ())
    notes = (*told, *reports.gap_notes(study, described["baseline"]))
    why = "\n".join(f"- {note}" for note in notes)
    return f"{reports.markdown(table)}\n{pictures}\n\n{why}\n"


def store_figures(name: str, described: dict[str, Any], study: reports.Study) -> None:
    """Draws the figures that the section shows."""
    with tempfile.TemporaryDirectory() as directory:
        options = {"title": name, **described}
        written = reports.write_report(study, directory, **options)
        for figure in FIGURES:
            (PICTURES / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(written[figure], PICTURES / name / figure)


def main() -> int:
    """Fills every pair of markers; returns the exit code."""
    text = README.read_text(encoding="utf-8")
    for name, described in published().items():
        study = reports.load_study(ledger(name))
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
