# SPDX-License-Identifier: Apache-2.0
"""A study of 1,000 trials: how long its report takes, how large and fast its page is.

The bounds are the targets of docs/reports.md, on one core.
"""

import resource
import subprocess
import sys

import pytest

import many
from chromium import Chromium
from dropout_jax.reports import choose, load_study

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def ledger_of_many(tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "many.jsonl"
    many.write(path)
    return path


@pytest.fixture(scope="module")
def report(ledger_of_many):
    """The page, and the seconds of a core that the whole command took."""
    out = ledger_of_many.parent / "report"
    started = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [
            *(sys.executable, "-m", "dropout_jax.reports"),
            *(f"--ledger={ledger_of_many}", f"--out={out}", "--knobs", *many.KNOBS),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    # Not the wall time, for which the neighbours of the machine may be to blame.
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = ended.ru_utime - started.ru_utime + ended.ru_stime - started.ru_stime
    return out / "report.html", seconds


def test_the_report_is_written_in_time(report):
    assert report[1] < 30


def test_the_page_is_small_enough_to_send(report):
    assert report[0].stat().st_size < 15e6


def test_the_choice_finds_the_planted_rates(ledger_of_many):
    study = load_study(ledger_of_many, knobs=many.KNOBS)
    assert len(study.trials) == 1000
    chosen = choose(study).chosen
    for arm, (_, rate) in many.ARMS.items():
        found = chosen[arm].setting["noise.rates"][0]
        assert found == pytest.approx(rate, abs=0.11), arm


@pytest.mark.browser
def test_the_page_opens_in_time_and_draws_its_charts(report, tmp_path):
    browser = Chromium(tmp_path)
    try:
        browser.open(report[0])  # the browser's own start is not the page's
        opened = min(browser.open(report[0]) for _ in range(4))
        assert opened < 2
        browser.wait("document.querySelectorAll('.js-plotly-plot').length == 10")
        rows = browser.run(
            "document.querySelector('table.runs').tBodies[0].rows.length"
        )
        assert rows == 1000 and browser.console == []
    finally:
        browser.close()
