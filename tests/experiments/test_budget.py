# SPDX-License-Identifier: Apache-2.0
"""What the experiments took: summed over their ledgers, disturbed and quiet."""

import pytest

from experiments import budget, evidence


def training(arm, seconds, status="done"):
    return {"arm": arm, "result": {"seconds": seconds, "status": status}}


@pytest.fixture(autouse=True)
def _two(monkeypatch):
    """E01 has two arms of trainings, of which one diverged early; E02 has none."""
    ledger = [
        training("none", 3600.0),
        training("none", 7200.0),
        training("none", 60.0, "diverged"),
        training("b", 1800.0),
    ]
    ledgers = {"E01": ledger}
    monkeypatch.setattr(
        evidence, "ledger_lines", lambda name, **_: ledgers.get(name, [])
    )
    monkeypatch.setattr(evidence, "found", lambda name: {"seconds": 900.0})


def test_trainings_run_two_at_a_time_and_quiet_ones_are_as_fast_as_the_fastest():
    taken = (3600 + 7200 + 60 + 1800) / 2 / 3600
    quiet = (2 * 3600 + 60 + 1800) / 2 / 3600
    assert budget.line("E01") == (4, pytest.approx(taken), pytest.approx(quiet))


def test_where_nothing_is_trained_all_of_it_counts():
    assert budget.line("E02") == (0, 0.25, 0.25)


def test_the_page_ends_with_the_sums():
    lines = budget.page(["E01", "E02"]).split("\n")
    rows = [line for line in lines if line.startswith("|")]
    assert rows[-1] == "| all | 4 | 2.01 | 1.51 |"


def test_the_published_page_has_what_the_ledgers_say(monkeypatch):
    """Experiments without a ledger take another time whenever they run: left out."""
    monkeypatch.undo()
    published = budget.PATH.read_text().split("\n")
    for name in evidence.experiments():
        count, taken, quiet = budget.line(name)
        if count:
            row = f"| [{name}]({name}.md) | {count} | {taken:.2f} | {quiet:.2f} |"
            assert row in published
