# SPDX-License-Identifier: Apache-2.0
"""Reads verdicts and tables of comparisons back, and holds them against `rule.py`."""

import re

import numpy as np
import pytest

GROUPS = {
    "significantly higher": "higher",
    "significantly lower": "lower",
    "equivalent within": "equivalent",
    "no significant difference": "undecided",
}
CELLS = {
    "higher": "higher",
    "lower": "lower",
    "equivalent": "equivalent",
    "undecided": "no significant difference",
    "descriptive": "descriptive",
}
UNITS = {"accuracy": "points", "nll": "nats"}
DIGITS = {"accuracy": 2, "nll": 4}


def check_sentences(text, expected, baseline="none"):
    """Each method is in its group, with its numbers, once for each measure."""
    said, family = {}, {one["family"] for one in expected.values()}
    pattern = r"(?:correction for|paired seeds,) (\d+) comparison"
    counts = {int(n) for n in re.findall(pattern, text)}
    tested = any(one["p"] is not None for one in expected.values())
    assert counts == (family if tested else set())
    for sentence in re.split(r"(?<=[.])\s+(?=[A-Z])", text):
        opening = sentence.lower()
        nll = re.match(r"(described, not tested: )?nll", opening)
        measure = "nll" if nll else "accuracy"
        if f", against ‘{baseline}’:" in sentence:
            groups = sentence.partition("’: ")[2].split("; ")
            for group in groups:
                (name,) = (g for w, g in GROUPS.items() if group.startswith(w))
                for found in re.finditer(r"‘([^’]+)’ \(([^)]*)\)", group):
                    said[found[1], measure] = (name, found[2])
        elif opening.startswith("described"):
            pattern = r"(higher|lower|equal) in (\d+) of (\d+) seeds with ‘([^’]+)’"
            for side, k, n, arm in re.findall(pattern, sentence):
                one = expected[arm, measure]
                assert int(n) == one["pairs"]
                count = {"higher": one["higher"], "lower": one["lower"]}
                assert int(k) == count.get(side, one["pairs"])
                assert int(k) >= max(count.values())
                said[arm, measure] = ("descriptive", "")
    assert {name: group for name, (group, _) in said.items()} == {
        name: one["group"] for name, one in expected.items()
    }
    for name, (group, numbers) in said.items():
        if group != "descriptive":
            check_numbers(numbers, group, expected[name], DIGITS[name[1]])


def check_numbers(text, group, one, digits):
    """What a sentence says in brackets of a method that was tested."""
    mean = float(re.match(r"[-+]?[\d.]+", plain(text))[0])
    assert mean == pytest.approx(one["interval"][0], abs=0.51 * 10**-digits)
    if group in ("higher", "lower"):
        p = float(re.search(r"p = ([\d.e-]+)", text)[1])
        assert p == pytest.approx(one["p"], rel=0.06)
    if group == "undecided":
        found = re.search(r"detectable effect ([\d.]+)", text)
        check_detectable(found[1] if found else "–", one["detectable"], digits)
    if group == "equivalent":
        p = float(re.search(r"p = ([\d.e-]+)", text)[1])
        assert p == pytest.approx(one["equivalence"], rel=0.06)


def check_detectable(text, effect, digits):
    """Both are simulated: 400 studies know a power of .8 to .02."""
    if np.isinf(effect):
        assert text == "–"
    else:
        assert float(text) == pytest.approx(effect, rel=0.12, abs=10**-digits)


def check_cells(headings, rows, expected, measure, baseline="none"):
    """Intervals, counts, p-values and verdicts of the comparisons by one measure."""
    digits, family = DIGITS[measure], len(expected)
    seen = set()
    for name, *cells in rows:
        if (name, measure) not in expected:
            continue
        seen.add(name)
        one = expected[name, measure]
        columns = dict(zip(headings[1:], cells, strict=True))
        found = numbers(columns[f"difference to {baseline}, {UNITS[measure]}"])
        found += numbers(
            columns[f"interval corrected for {family} comparison{'s' * (family > 1)}"]
        )
        wanted = [*one["interval"], *one["corrected"][1:]]
        wanted = [value for value in wanted if np.isfinite(value)]
        assert found == pytest.approx(wanted, abs=0.51 * 10**-digits)
        assert (
            columns["seeds in which it is higher"]
            == f"{one['higher']} of {one['pairs']}"
        )
        shown = columns.get("verdict", "descriptive").partition(",")[0]
        assert shown == CELLS[one["group"]]
        if one["p"] is not None:
            assert float(columns["p, corrected"]) == pytest.approx(one["p"], rel=0.06)
            least = columns[f"minimum detectable effect, {UNITS[measure]}"]
            check_detectable(least, one["detectable"], digits)
    assert seen == {name for name, of in expected if of == measure}


def numbers(text):
    """The numbers of a cell."""
    return [float(number) for number in re.findall(r"[-+]?\d[\d.e-]*", plain(text))]


def plain(text):
    """Text with ASCII minus signs."""
    return text.replace("−", "-")
