# SPDX-License-Identifier: Apache-2.0
"""Writes the results of the published studies into README.md and docs/results.md.

python experiments/publish.py

Reads the committed ledgers under results/ and trains nothing: every number between
the markers of the two pages comes out of this command.
"""

import json
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from dropout_jax import reports
from dropout_jax.config.guard import guarded
from dropout_jax.config.loading import load_config
from dropout_jax.reports.captions import figure_captions
from dropout_jax.reports.documents import document
from dropout_jax.reports.numbers import NOTHING, counted, duration, plain, setting_text
from dropout_jax.reports.render import escaped, grid
from dropout_jax.sweeps import Ledger
from dropout_jax.sweeps.described import planned, reporting

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"
PICTURES = ROOT / "docs" / "results"
FIGURES = ("accuracy", "differences", "curves", "reliability", "time")
# The config of each study; its ledger has its name, or that of another one.
STUDIES = {
    "compare_mlp": "configs/compare.py:mlp",
    "compare_cnn": "configs/compare.py:cnn",
    "compare_rnn": "configs/compare.py:rnn",
    "rnn_learning_rate": "configs/sweeps/rnn_learning_rate.py",
    "far": "configs/sweeps/far.py",
    "small_data": "configs/sweeps/small_data.py",
    "course": "configs/sweeps/course.py:10",
    "course_5": "configs/sweeps/course.py:5",
}
LEDGERS = {"course_5": "course"}


class Published(NamedTuple):
    """A study that has results.

    Attributes:
      name: its own.
      study: what is in it.
      options: what its config file says on how to report, and its arms in order.
      notes: paragraphs of the same file.
    """

    name: str
    study: reports.Study
    options: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def table(self) -> reports.Table:
        """The results."""
        return reports.tabulate(self.study, **self.options)


def ledger_of(name: str) -> Path:
    """Returns the committed ledger of a study."""
    return RESULTS / f"{LEDGERS.get(name, name)}.jsonl"


def published() -> list[Published]:
    """Returns the studies that have results."""
    found = []
    for name, config in STUDIES.items():
        if not ledger_of(name).exists():
            continue
        file = f"{ROOT}/{config}"
        trials = planned(file, load_config(file), seeds=1)
        told = reporting(file)
        told.pop("title", None)
        notes = tuple(told.pop("notes", ()))
        arms = tuple(dict.fromkeys(trial.arm for trial in trials))
        study = reports.load_study(ledger_of(name)).only(arms)
        found.append(Published(name, study, {**told, "arms": arms}, notes))
    return found


def brief(of: Published) -> str:
    """Returns what README says of a study."""
    notes = "".join(f"- {note}\n" for note in of.notes)
    picture = _picture(of, "accuracy", "docs/results")
    return f"{reports.markdown(of.table)}{notes}\n{picture}\n"


def _picture(of: Published, figure: str, place: str) -> str:
    """A figure with its caption, in Markdown."""
    captions = figure_captions(reports.choose(of.study), of.table)
    (drawn,) = (drawing for drawing in captions if drawing.name == figure)
    text = escaped(f"{drawn.heading}. {drawn.caption}")
    return f"![{of.name}: {figure}]({place}/{of.name}/{figure}.png)\n\n*{text}*\n"


def whole(of: Published) -> str:
    """Returns what docs/results.md says of a study."""
    pictures = [
        _picture(of, figure, "results")
        for figure in FIGURES
        if (PICTURES / of.name / f"{figure}.png").exists()
    ]
    why = (*of.notes, *reports.gap_notes(of.study, of.options["baseline"]))
    return "\n".join(
        [
            # Its headings are below that of the study.
            document(reports.choose(of.study), of.table).replace("\n## ", "\n### "),
            *pictures,
            "",
            *(f"- {note}" for note in (*why, _cost(of))),
            "",
            *_search(of.name),
        ]
    )


def _cost(of: Published) -> str:
    runs = counted(len(of.study.trials), "run")
    seconds = sum(trial.seconds or 0.0 for trial in of.study.trials)
    return f"{runs}, {duration(seconds)} of training in all, one after another."


def _search(name: str) -> list[str]:
    """Returns what the search found for each arm and what it cost, if there was one."""
    path = RESULTS / f"{name}_winners.json"
    if not path.exists():
        return []
    about = json.loads(path.read_text(encoding="utf-8"))
    lines = Ledger(RESULTS / f"{name}_search.jsonl").lines()
    withdrawn = {line["arm"] for line in lines if "withdrawn" in line}
    spent: Counter[str] = Counter()
    for line in lines:
        spent[line["arm"]] += line["result"]["seconds"]
    rows = [
        [
            arm,
            "withdrawn" if arm in withdrawn else setting_text(found["searched"]),
            NOTHING
            if arm in withdrawn
            else plain(100 * found["validation"]["accuracy"]),
            ", ".join(f"{count} {state}" for state, count in found["trials"].items()),
            duration(spent[arm]),
        ]
        for arm, found in about["arms"].items()
    ]
    headings = ["method", "setting chosen", "validation accuracy, %", "trials"]
    all_ = duration(sum(spent.values()))
    return [
        f"The search: {about['sampler']}, {about['budget']} trials for each method, "
        f"{all_} of training in all, one after another.\n",
        grid([*headings, "spent"], rows),
    ]


def store_figures(of: Published) -> None:
    """Draws the figures that the pages show."""
    with tempfile.TemporaryDirectory() as directory:
        written = reports.write_report(
            of.study, directory, title=of.name, notes=of.notes, **of.options
        )
        (PICTURES / of.name).mkdir(parents=True, exist_ok=True)
        for name in (f"{figure}.png" for figure in FIGURES):
            (PICTURES / of.name / name).unlink(missing_ok=True)
            if name in written:  # a study of one method has no differences
                shutil.copy(written[name], PICTURES / of.name / name)


PAGES: dict[str, Callable[[Published], str]] = {
    "README.md": brief,
    "docs/results.md": whole,
}


def main() -> int:
    """Fills every pair of markers; returns the exit code."""
    studies = published()
    for of in studies:
        store_figures(of)
    for page, section in PAGES.items():
        text = (ROOT / page).read_text(encoding="utf-8")
        for of in studies:
            pattern = rf"(<!-- {of.name} -->\n).*?(<!-- /{of.name} -->)"
            body = section(of)
            text, found = re.subn(
                pattern, lambda m, body=body: m[1] + body + m[2], text, flags=re.DOTALL
            )
            if found != 1:
                where = f"{page} has {found} places for {of.name}"
                print(f"error: {where}", file=sys.stderr)
                return 2
        (ROOT / page).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
