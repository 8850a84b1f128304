# SPDX-License-Identifier: Apache-2.0
"""Made-up results of every kind: each sentence and cell says what `rule.py` says."""

import io
import re

import numpy as np
import pytest
from rich.console import Console

import rule
from dropout_jax.reports import (
    TerminalTable,
    load_study,
    markdown,
    tabulate,
    verdict,
)
from dropout_jax.reports.captions import chart_captions, figure_captions
from dropout_jax.reports.render import parts
from dropout_jax.reports.selection import choose
from reading import CELLS, check_cells, check_sentences

CLAIMS = re.compile(
    r"signific|\bwin|\bbest\b(?! validation)|\bbeats?\b|highest|probabl|told apart",
    re.I,
)


def results(kind, number):
    """Accuracy and NLL by arm and seed: {arm: {seed: (percent, nats)}}."""
    draw = np.random.default_rng([number, len(kind)])
    count = {"thirty methods": 30, "two methods": 1}.get(kind, int(draw.integers(2, 8)))
    seeds = {"one seed": 1, "few seeds": int(draw.integers(2, 10))}.get(
        kind, int(draw.integers(10, 14))
    )
    shared = draw.normal(0, 0.3, seeds)
    found = {}
    for m in range(count + 1):
        arm = "none" if m == 0 else f"method {m}"
        gain = 0.0 if m == 0 else float(draw.choice([-0.6, -0.25, 0.0, 0.1, 0.25, 0.6]))
        width = float(draw.choice([0.02, 0.15, 0.5]))
        accuracy = 90 + gain + shared + draw.normal(0, width, seeds)
        nll = 0.3 - gain / 20 + shared / 50 + draw.normal(0, width / 20, seeds)
        if kind == "equal methods":
            accuracy, nll = 90 + shared, 0.3 + shared / 50
        digits = 1 if kind == "ties" else 2
        pairs = zip(accuracy.round(digits), nll.round(digits + 2), strict=True)
        found[arm] = dict(enumerate((float(a), float(n)) for a, n in pairs))
        if kind == "mixed seeds" and m:
            for seed in range(int(draw.integers(0, seeds))):
                if draw.random() < 0.4:
                    found[arm].pop(seed)
        if kind == "one method goes on" and m > 1:
            found[arm] = {s: v for s, v in found[arm].items() if s < 5}
    return found


KINDS = (
    "both signs",
    "ties",
    "mixed seeds",
    "one method goes on",
    "one seed",
    "few seeds",
    "equal methods",
    "missing methods",
    "thirty methods",
    "two methods",
    "older ledger",
)


@pytest.fixture
def lines(trial):
    def build(kind, number):
        found = []
        for arm, by_seed in results(kind, number).items():
            for seed, (accuracy, nll) in by_seed.items():
                line = trial(arm, seed)
                line["result"]["test"] |= {"accuracy": accuracy / 100, "nll": 9.0}
                test = line["result"]["test"] | {"nll": nll}
                if kind != "older ledger":
                    line["format"] = 2
                    line["sets"] = sets(line, test)
                found.append(line)
        return found

    return build


def sets(line, test):
    """All three sets of a run; the least NLL alone has the NLL that counts."""
    kept = {"epoch": 17, "validation": line["result"]["validation"]}
    other = {**kept, "test": line["result"]["test"], "reliability": line["reliability"]}
    least = {**other, "epoch": 9, "test": test}
    return {"best_accuracy": other, "least_nll": least, "last": other}


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_every_sentence_and_cell_follows_the_rule(kind, number, lines, ledger):
    of = lines(kind, number)
    arms = ["none", "never run"] if kind == "missing methods" else ()
    study = load_study(ledger(of))
    table = tabulate(study, arms=arms)
    expected = rule.judge(rule.differences(of, "none"))
    assert table.family == len(expected)
    assert bool(expected) and (kind == "older ledger") == (len(table.measures) == 1)
    text = verdict(table)
    check_sentences(text, expected)
    for part, measure in zip(parts(table), table.measures, strict=False):
        check_cells(part.headings, part.rows, expected, measure.name)
    tested = any(one["p"] is not None for one in expected.values())
    shown = [text, markdown(table), *table.notes, *printed(table)]
    shown += [d.caption for d in figure_captions(choose(study), table)]
    shown += [d.caption for d in chart_captions(choose(study), table)]
    counts = [int(n) for t in shown for n in re.findall(r"(\d+) comparisons?", t)]
    assert counts and set(counts) == {len(expected)}
    assert not any("BCa" in t for t in shown)
    if not tested:
        assert not any(CLAIMS.search(t) for t in shown)
    assert not re.search(r"[−-]0\.0+\b(?!\d)", text), "a sign at zero"


def printed(table):
    console = Console(file=io.StringIO(), width=400, color_system=None)
    console.print(TerminalTable(table))
    return console.file.getvalue().splitlines()


def test_the_kinds_reach_every_group(lines):
    groups = {
        one["group"]
        for kind in KINDS
        for number in range(4)
        for one in rule.judge(rule.differences(lines(kind, number), "none")).values()
    }
    assert groups == set(CELLS)
