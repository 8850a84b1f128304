# SPDX-License-Identifier: Apache-2.0
"""What experiments found, on disk: JSON, table and figure of each.

results/evidence/E05.json holds everything that was said and found; docs/evidence has
its table and its picture. In quick form all goes to build/evidence, and nothing that is
published changes.
"""

from __future__ import annotations

import io
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

from dropout_jax import stored
from dropout_jax.config.alike import hint
from dropout_jax.config.errors import UserError
from dropout_jax.files import to_json, write_atomically
from dropout_jax.reports.render import grid
from dropout_jax.sweeps import Ledger
from experiments import revisions
from experiments.checks import DESCRIPTION, number
from experiments.experiment import Experiment, Findings

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("jax", "jaxlib", "flax", "numpy", "scipy")


def experiments() -> dict[str, str]:
    """Returns the module of each experiment, by id in order."""
    paths = sorted((ROOT / "experiments").glob("e[0-9][0-9]_*.py"))
    return {path.stem[:3].upper(): f"experiments.{path.stem}" for path in paths}


def load(name: str) -> Experiment:
    """Returns an experiment by its id.

    Raises:
      UserError: there is none.
    """
    known = experiments()
    if name not in known:
        words = [*known, "all", "today", "list"]
        raise UserError(
            f"there is no experiment {name!r}; there are {', '.join(words)}"
            f"{hint(name, words)}"
        )
    return import_module(known[name]).EXPERIMENT


def results(*, quick: bool) -> Path:
    """Returns the directory of the JSON files."""
    return ROOT / ("build/evidence" if quick else "results/evidence")


def pictures(*, quick: bool) -> Path:
    """Returns the directory of the tables and figures."""
    return ROOT / ("build/evidence" if quick else "docs/evidence")


def store(
    experiment: Experiment, findings: Findings, seconds: float, *, quick: bool
) -> dict[str, Any]:
    """Writes what was found; returns the content of the JSON file."""
    record = {
        "id": experiment.id,
        "question": experiment.question,
        "protocol": experiment.protocol,
        "budget": experiment.budget,
        "expected": experiment.expected,
        "checks": [
            {
                "name": name,
                "says": check.says,
                "kind": check.kind,
                "found": check.found,
                "rule": check.rule,
                "verdict": check.verdict,
                "holds": check.holds,
                "seen": None if check.seen is None else list(check.seen),
                "decided": check.decided(quick=quick),
                **_plain(check.numbers()),
            }
            for name, check in findings.checks.items()
        ],
        "headings": list(findings.headings),
        "rows": _plain(findings.rows),
        "caption": findings.caption,
        "seconds": round(seconds, 1),
        "trainings": trainings(experiment.id, quick=quick),
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }
    places = results(quick=quick), pictures(quick=quick)
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    write_atomically(places[1] / f"{experiment.id}.png", _png(findings.figure))
    write_atomically(places[1] / f"{experiment.id}.md", page(record))
    write_atomically(places[0] / f"{experiment.id}.json", to_json(record))
    return record


def ledger_lines(name: str, *, quick: bool) -> list[dict[str, Any]]:
    """Returns the lines of an experiment's ledgers, whoever ran them and when."""
    paths = results(quick=quick).glob(f"{name}*.jsonl")
    return [
        line
        for path in sorted(paths)
        if not path.stem.endswith("_models")
        for line in Ledger(path).by_trial().values()
    ]


def trainings(name: str, *, quick: bool) -> dict[str, float] | None:
    """Returns the number of an experiment's trainings and their seconds in all.

    None if it trains no trials.
    """
    lines = ledger_lines(name, quick=quick)
    seconds = sum(line["result"]["seconds"] for line in lines)
    return {"count": len(lines), "seconds": round(seconds)} if lines else None


def found(name: str, *, quick: bool = False) -> dict[str, Any] | None:
    """Returns what an experiment found when it last ran; None if it has not."""
    path = results(quick=quick) / f"{name}.json"
    return stored.read_if_there(path)


def check_of(name: str, check: str) -> dict[str, Any]:
    """Returns a check as an experiment last found it.

    Raises:
      ValueError: the experiment has not run, or has no such check.
    """
    record = found(name) or {"checks": []}
    checks = {one["name"]: one for one in record["checks"]}
    if check not in checks:
        raise ValueError(f"{name} has no check {check!r}, but {', '.join(checks)}")
    return checks[check]


def page(record: dict[str, Any]) -> str:
    """Returns what an experiment asked and found, as Markdown."""
    checks = [
        [
            f"{check['name']}: {check['says']}",
            check["kind"],
            check["found"],
            check["rule"],
            check["verdict"],
        ]
        for check in record["checks"]
    ]
    rows = [[*map(number, row)] for row in record["rows"]]
    parts = [
        f"# {record['id']}: {record['question']}\n",
        f"**Protocol.** {record['protocol']}\n",
        f"**Budget.** {record['budget']} {took(record)}\n",
        f"**Expected.** {record['expected']}\n",
        prose(["check", "kind", "found", "rule", "verdict"], checks),
        *(f"{note}\n" for note in notes(record)),
        f"![{record['caption']}]({record['id']}.png)\n",
        f"{record['caption']}\n",
        grid(record["headings"], rows),
    ]
    if changed := revisions.of(record["id"]):
        parts += [
            "## Rules that changed after their results were known\n",
            prose(
                ["rule then", "found then", "verdict then", "now", "why"],
                [revisions.cells(one, record["checks"]) for one in changed],
            ),
        ]
    return "\n".join([*parts, f"`python -m experiments.run {record['id']}`", ""])


def prose(headings: list[str], rows: list[list[str]]) -> str:
    """Returns a table whose cells are sentences: every column is left-aligned."""
    first, rule, *others = grid(headings, rows).split("\n")
    return "\n".join([first, rule.replace("---:", "---"), *others])


def notes(record: dict[str, Any]) -> list[str]:
    """Returns what the kinds of the checks mean, and what intervals leave out."""
    kinds = {check["kind"] for check in record["checks"]}
    families = {
        one["family"]
        for check in record["checks"]
        for one in check.get("comparisons", ())
    }
    told = ["[What the kinds mean.](../experiments.md#kinds-of-checks)"]
    if DESCRIPTION in kinds:
        told.append(
            "A description says what these runs showed: under 10 paired seeds, or with "
            "fewer than other comparisons have, nothing is tested."
        )
    if families:
        made = " and ".join(map(str, sorted(families, reverse=True)))
        told.append(
            "Intervals are 95 % each, not corrected, where none is called so; "
            f"comparisons made: {made}."
        )
    if families or DESCRIPTION in kinds or record["trainings"]:
        told.append(
            "They cover what a seed decides (initialization, order of the batches, "
            "noise): there is one split, one test set and one choice of settings."
        )
    return [" ".join(told)]


def took(record: dict[str, Any]) -> str:
    """Returns how long an experiment took: its trainings, or all of it without any."""
    if trained := record["trainings"]:
        return (
            f"{trained['count']:,} trainings took {trained['seconds']:,} s in all, "
            f"several at a time."
        )
    return f"Took {record['seconds']:g} s."


def _plain(value: Any) -> Any:
    """Returns a value that JSON has; None for what is not finite."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    value = float(value)
    return value if abs(value) < float("inf") else None


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    for axis in (a for axes in figure.axes for a in (axes.xaxis, axes.yaxis)):
        # Its powers of ten would be typeset, which the style leaves out.
        if isinstance(axis.get_major_formatter(), LogFormatterSciNotation):
            axis.set_major_formatter("{x:g}")
            low, high = sorted(axis.get_view_interval())
            if high < 1000.0 * low:  # else the powers of ten are enough to read off
                axis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
                axis.set_minor_formatter("{x:g}")
            else:
                axis.set_minor_formatter(NullFormatter())
    # No date in it: equal findings give equal bytes.
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()
