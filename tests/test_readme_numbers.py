# SPDX-License-Identifier: Apache-2.0
"""Every number of README's tables, from the ledgers, with NumPy and SciPy alone."""

import json
import math
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import rule
from reading import check_cells, check_sentences, numbers

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- (\w+) -->\n(.*?)<!-- /\1 -->", README, re.S))
# Blocks that show a part of a ledger: their baseline, and what their methods end with.
PARTS = {
    "course": ("course", "none, 10 epochs", "10 epochs"),
    "course_5": ("course", "none, 5 epochs", "5 epochs"),
    "far": ("far", "MLP", ""),
    "rnn_learning_rate": ("rnn_learning_rate", "none, learning rate .00575", ""),
}
DIGITS = {"ECE": 4, "Brier score": 4, "NLL, nats": 3, "NLL, not compared": 3}
KEYS = {"ECE": "ece", "Brier score": "brier", "NLL, nats": "nll"}


def lines_of(name):
    ledger, _, ending = PARTS.get(name, (name, "none", ""))
    text = (ROOT / "results" / f"{ledger}.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    lines = [line for line in lines if line["arm"].endswith(ending)]
    run_again = {key(line) for line in lines if "withdrawn" not in line}
    return [x for x in lines if "withdrawn" not in x or key(x) not in run_again]


def key(line):
    return json.dumps(line["config"], sort_keys=True)


def tables(name):
    """Every table of a block: its headings and its rows, as text."""
    found = re.findall(r"(?:^\|.*\n)+", BLOCKS[name], re.M)
    for text in found:
        rows = [
            [cell.strip().replace("\\", "") for cell in line.strip("|").split(" | ")]
            for line in text.strip().splitlines()
        ]
        rows = [
            [row[0].removeprefix("| "), *row[1:-1], row[-1].removesuffix(" |")]
            for row in rows
        ]
        yield rows[0], rows[2:]


def scores(line, heading):
    """The parameters that a column is of."""
    judged = heading != "NLL, not compared" and "sets" in line
    return line["sets"]["least_nll"]["test"] if judged else line["result"]["test"]


@pytest.mark.parametrize("name", BLOCKS)
def test_the_verdict_and_the_comparisons(name):
    lines, baseline = lines_of(name), PARTS.get(name, ("", "none"))[1]
    expected = rule.judge(rule.differences(lines, baseline))
    # The verdict is what stands above the first table.
    text = BLOCKS[name].partition("\n\n")[0].replace("*", "").replace("\\", "")
    check_sentences(text, expected, baseline)
    for headings, rows in tables(name):
        measure = {"test accuracy, %": "accuracy", "NLL, nats": "nll"}.get(headings[1])
        if measure:
            check_cells(headings, rows, expected, measure, baseline)


@pytest.mark.parametrize("name", BLOCKS)
def test_the_means_and_what_stands_beside_them(name):
    lines, checked, rows_with_runs = lines_of(name), Counter(), 0
    for headings, rows in tables(name):
        for arm, *cells in rows:
            of = [line for line in lines if line["arm"] == arm]
            done = [
                line
                for line in of
                if line["result"]["status"] == "done" and "withdrawn" not in line
            ]
            for heading, cell in zip(headings[1:], cells, strict=True):
                checked[heading] += check(heading, cell, name, arm, done, of)
                rows_with_runs += heading == "seeds" and bool(done)
    assert checked["seeds"] >= 2 and checked["ECE"] == rows_with_runs >= 2


def check(heading, cell, name, arm, done, of):
    """Holds one cell against the ledger; returns whether it is of a kind known here."""
    if heading == "test accuracy, %" and done:
        values = [100 * line["result"]["test"]["accuracy"] for line in done]
        wanted = [x for x in rule.t_interval(values, 0.05) if math.isfinite(x)]
        assert numbers(cell) == pytest.approx(wanted, abs=0.0051)
    elif heading in DIGITS and done:
        key = KEYS.get(heading, "nll")
        values = [scores(line, heading)[key] for line in done]
        mean, low, _ = rule.t_interval(values, 0.05)
        wanted = [mean, mean - low] if len(values) > 1 else [mean]
        assert numbers(cell) == pytest.approx(wanted, abs=0.51 * 10 ** -DIGITS[heading])
    elif heading == "seeds":
        assert numbers(cell)[0] == len(done)
        assert sum(numbers(cell)[1:]) == len(of) - len(done)
    elif heading == "search trials":
        search = (ROOT / "results" / f"{name}_search.jsonl").read_text(encoding="utf-8")
        arms = Counter(json.loads(line)["arm"] for line in search.splitlines())
        assert int(cell) == arms[arm]
    elif heading == "median time" and done:
        seconds = float(np.median([line["result"]["seconds"] for line in done]))
        found = numbers(cell)
        units = re.findall(r"(h|min|s)\b", cell)
        shown = sum(
            n * {"h": 3600, "min": 60, "s": 1}[u]
            for n, u in zip(found, units, strict=True)
        )
        assert shown == pytest.approx(seconds, abs=0.51 if "min" in units else 0.051)
    elif heading == "noise at the end" and done:
        check_noise(cell, done)
    else:
        return 0
    return 1


def check_noise(cell, done):
    """Learned values after the last epoch, rates as they were set."""
    found = dict(re.findall(r"([\w/]+) ([\d.e-]+)(?=[,;]|$)", cell))
    noise = done[0]["config"]["noise"]
    if noise["kind"] == "none":
        assert cell == "–"
    elif not done[0]["noise"]:
        wanted = [
            *([noise["input_rate"]] if noise["input_rate"] else []),
            *noise["rates"],
        ]
        assert numbers(cell) == pytest.approx(wanted, rel=0.051)
    for path in done[0]["noise"]:
        place, _, parameter = path.rpartition("/")
        site = place.removeprefix("noise_")
        values = np.array([line["noise"][path] for line in done])
        if parameter == "noise_log_alpha":
            wanted = np.exp(values)
        elif parameter == "noise_logit_rate":
            wanted = 1 / (1 + np.exp(-values))
        elif parameter == "noise_mu":
            other = f"{place}/noise_log_sigma"
            sigmas = np.exp([line["noise"][other] for line in done])
            wanted = [alpha(mu, s) for mu, s in zip(values, sigmas, strict=True)]
        else:
            continue
        assert float(found[site]) == pytest.approx(np.mean(wanted), rel=0.051), path
    for layer in done[0]["result"].get("sparsity", {}):
        wanted = np.mean([line["result"]["sparsity"][layer] for line in done])
        assert float(found[layer]) == pytest.approx(wanted, rel=0.051)


def alpha(mu, sigma):
    """Variance over squared mean of sigmoid(N(mu, sigma^2)), by a plain sum."""
    z = np.linspace(-9, 9, 20_001)
    weight = np.exp(-(z**2) / 2)
    factor = 1 / (1 + np.exp(-(mu + sigma * z)))
    mean = np.average(factor, weights=weight)
    return np.average((factor - mean) ** 2, weights=weight) / mean**2
