# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: drawn, sorted, filtered, opened, by mouse and by key."""

import pytest

from chromium import Chromium
from dropout_jax.reports import load_study, write_report

pytestmark = pytest.mark.browser

HOSTILE = "<script>alert(1)</script>"
ALL_DRAWN = (
    "document.querySelectorAll('.charts > figure .js-plotly-plot').length == "
    "document.querySelectorAll('script[data-chart]').length"
)


@pytest.fixture(scope="module")
def report(ledger, trial, tmp_path_factory):
    lines = [trial(arm, seed) for arm in ("none", HOSTILE) for seed in range(3)]
    for rate in (0.1, 0.2, 0.5):
        for decay in (0.0, 0.1):
            for seed in range(3):
                line = trial("dropout", seed)
                line["config"]["noise"] = {"kind": "dropout", "rates": [rate]}
                line["config"]["regularizer"] = {"weight_decay": decay}
                line["trial"] += f"{rate}{decay}"
                lines.append(line)
    directory = tmp_path_factory.mktemp("report")
    study = load_study(ledger(lines), knobs=("noise.rates", "regularizer.weight_decay"))
    return write_report(study, directory, title="Synthetic")["report.html"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    found = Chromium(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture
def page(browser, report):
    """The page, opened anew, with every chart drawn."""
    browser.console.clear()
    browser.resize(1200, 900)
    browser.open(report)
    browser.wait(ALL_DRAWN)
    return browser


def column(page, table, place):
    """Texts of one column of a table, rows that are shown only."""
    return page.run(
        f"[...document.querySelector('{table}').tBodies[0].rows]"
        f".filter(r => !r.hidden).map(r => r.cells[{place}].firstChild.textContent)"
    )


def test_plotly_drew_every_chart_in_silence(page):
    charts = page.run("[...document.querySelectorAll('[id^=chart-]')].map(c => c.id)")
    assert charts == [
        f"chart-{name}"
        for name in "accuracy differences knob_0 knob_1 grid_0 curves_accuracy "
        "curves_loss reliability time".split()
    ]
    assert page.run("document.querySelectorAll('.trace.scatter').length") > 20
    assert page.run("document.querySelectorAll('.heatmaplayer image').length") == 1
    assert page.console == []


def test_the_table_is_sorted_by_its_headings_with_the_keyboard(page):
    buttons = "document.querySelectorAll('#table thead button')"
    before = column(page, "#table table", 0)
    page.run(f"{buttons}[1].focus()")
    page.press("Enter")
    values = [float(text) for text in column(page, "#table table", 1)]
    assert values == sorted(values) and len(values) == 3
    page.press("Enter")
    values = [float(text) for text in column(page, "#table table", 1)]
    assert values == sorted(values, reverse=True)
    heading = "document.querySelectorAll('#table thead th')[1]"
    assert page.run(f"{heading}.getAttribute('aria-sort')") == "descending"
    page.run(f"{buttons}[0].click()")
    assert sorted(column(page, "#table table", 0)) == sorted(before)


def test_the_runs_are_not_sorted_by_test(page):
    sorted_by = page.run(
        "[...document.querySelectorAll('table.runs thead th')]"
        ".filter(h => h.querySelector('button')).map(h => h.textContent)"
    )
    assert "validation accuracy, %" in sorted_by
    assert not any("test" in heading for heading in sorted_by)


def test_the_runs_are_filtered_by_words(page):
    page.run("document.getElementById('filter').focus()")
    page.write("dropout 0.5")
    assert column(page, "table.runs", 0) == ["dropout"] * 6
    assert column(page, "table.runs", 2) == ["0.5"] * 6
    assert page.run("document.getElementById('found').textContent") == "6 of 24 runs"


def test_a_run_is_opened_by_key_with_its_config_and_command(page):
    page.run("document.querySelector('table.runs a[data-run=\"23\"]').focus()")
    page.press("Enter")
    page.wait("document.querySelectorAll('#run .js-plotly-plot').length == 2")
    assert page.run("document.activeElement.id") == "run"
    text = page.run("document.getElementById('run').innerText")
    for part in ("dropout, seed 2", "--config.seed=2", "regularizer.weight_decay"):
        assert part in text
    assert "'--config.noise.rates=(0.5,)'" in text and "synthetic cpu" in text
    charts = "[...document.querySelectorAll('#run .js-plotly-plot')]"
    boxes = page.run(
        f"{charts}.map(c => [c, c.querySelector('.main-svg')]"
        ".map(e => e.getBoundingClientRect().width))"
    )
    assert all(drawn <= place + 1 for place, drawn in boxes)
    assert page.console == []


def test_a_point_tells_its_seed_when_hovered(page):
    point = "document.querySelector('#chart-accuracy .scatterlayer .point')"
    page.run(f"{point}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
    box = page.run(
        f"(b => [b.x + b.width / 2, b.y + b.height / 2])"
        f"({point}.getBoundingClientRect())"
    )
    page.hover(*box)
    page.wait("document.querySelector('#chart-accuracy .hovertext') !== null")
    text = page.run("document.querySelector('#chart-accuracy .hovertext').textContent")
    assert "seed 0: " in text


def test_a_phone_scrolls_tables_and_not_the_page(page, report):
    page.resize(360, 740, mobile=True)
    page.open(report)
    page.wait(ALL_DRAWN)
    assert page.run("document.documentElement.scrollWidth") == 360
    wide = "document.querySelector('#runs .scroll')"
    page.run(f"{wide}.scrollIntoView({{behavior: 'instant'}})")
    assert page.run(f"{wide}.scrollWidth > {wide}.clientWidth")


def test_a_download_is_the_file(page, report):
    found = page.run("document.querySelector('a[download=\"runs.csv\"]').href")
    script = f"atob('{found.partition(',')[2]}')"
    assert page.run(script) == (report.parent / "runs.csv").read_bytes().decode("l1")


def test_a_planted_script_stays_text(page):
    assert page.run("document.querySelectorAll('td script, th script').length") == 0
    assert HOSTILE in column(page, "#table table", 0)


def test_nothing_offers_to_upload_a_chart(page):
    titles = page.run(
        "[...document.querySelectorAll('[data-title]')].map(e => e.dataset.title)"
    )
    assert "Zoom" in titles and not any("hare" in title for title in titles)


def test_these_tests_would_see_a_failing_page(browser, report, tmp_path):
    text = report.read_text()
    broken = tmp_path / "broken.html"
    # A script that the policy does not know, and a picture from the network.
    planted = '<script>document.title = "ran"</script><img src="https://example.org/x">'
    broken.write_text(text.replace("</main>", f"{planted}</main>"))
    browser.console.clear()
    browser.open(broken)
    browser.wait("document.title != ''")
    assert browser.run("document.title") != "ran"
    assert sum("Content Security Policy" in line for line in browser.console) == 2
