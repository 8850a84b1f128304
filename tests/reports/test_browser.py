# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: charts drawn, no complaint on the console."""

import re
import shutil
import subprocess

import pytest

from dropout_jax.reports import load_study, write_report

pytestmark = pytest.mark.browser

HOSTILE = "<script>alert(1)</script>"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever the page asked for would fail, and be on the console.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=10000",
)


def opened(page, profile):
    """The document after its scripts ran, and what the console said."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.fail("no chromium found: run `make setup-browser`", pytrace=False)
    result = subprocess.run(
        [chromium, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout, re.findall(r".*CONSOLE.*", result.stderr)


@pytest.fixture(scope="module")
def report(ledger, trial, tmp_path_factory):
    arms = ("none", "dropout", HOSTILE)
    path = ledger([trial(arm, seed) for arm in arms for seed in range(2)])
    directory = tmp_path_factory.mktemp("report")
    return write_report(load_study(path), directory, title="Synthetic")["report.html"]


@pytest.fixture(scope="module")
def page(report, tmp_path_factory):
    return opened(report, tmp_path_factory.mktemp("profile"))


def test_plotly_drew_every_chart(page):
    document, _ = page
    charts = re.findall(
        r'<div id="chart-(\w+)"[^>]*class="[^"]*js-plotly-plot', document
    )
    names = ["accuracy", "differences", "curves_accuracy", "curves_loss", "reliability"]
    assert charts == names
    assert len(re.findall(r'<svg class="main-svg"', document)) >= len(charts)
    assert document.count('class="trace scatter') >= 2 * 3 + 2 * 2 + 9 + 9 + 3


def test_the_table_has_its_rows(page):
    body = re.search(r"<tbody>(.*?)</tbody>", page[0], flags=re.S).group(1)
    assert body.count('<th scope="row">') == 3


def test_the_console_is_silent(page):
    assert page[1] == []


def test_a_planted_script_stays_text(page):
    document, _ = page
    assert HOSTILE not in document
    assert "&lt;script&gt;alert(1)" in document


def test_nothing_offers_to_upload_a_chart(page):
    document, _ = page
    titles = set(re.findall(r'data-title="([^"]*)"', document))
    assert "Zoom" in titles and not any("hare" in title for title in titles)


def test_this_test_would_see_a_failing_page(report, tmp_path):
    text = report.read_text()
    broken = tmp_path / "broken.html"
    # A script that the policy does not know, and a picture from the network.
    planted = '<script>document.title = "ran"</script><img src="https://example.org/x">'
    broken.write_text(text.replace("</main>", f"{planted}</main>"))
    document, console = opened(broken, tmp_path / "profile")
    assert "<title>ran</title>" not in document
    assert sum("Content Security Policy" in line for line in console) == 2
