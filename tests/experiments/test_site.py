# SPDX-License-Identifier: Apache-2.0
"""docs/claims.html in a real browser: claims found and sorted, figures seen."""

import pytest
from matplotlib.figure import Figure

from chromium import Chromium
from experiments import claims, evidence
from experiments.claims import TEXTS, read, site
from experiments.experiment import Check, Experiment, Findings

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page on which one experiment has run, opened."""
    root = tmp_path_factory.mktemp("site")
    checks = {
        "printed equation fails": Check("it is <b>off</b>", 0.7, low=0.5),
        "closed form is the enumeration": Check("it is off", 0.7, high=0.5),
    }
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1])
    findings = Findings(checks, ["a"], [[1.0]], figure, "One <i>line</i>.")
    experiment = Experiment("E05", "A & B?", "Looking.", "None.", "A.", lambda q: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "ROOT", root)
        patch.setattr(evidence, "experiments", lambda: {"E05": "", "E06": ""})
        evidence.store(experiment, findings, 1.0, quick=False)
        # Of the other checks that claims name, none is part of this experiment.
        patch.setattr(
            claims, "held", lambda _, check: check not in checks or checks[check].holds
        )
        site.main(root / "docs" / "claims.html")
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    browser.open(root / "docs" / "claims.html")
    yield browser
    browser.close()


def visible(page):
    """Numbers of the claims that are shown, in their order."""
    return page.run(
        "[...document.querySelector('#claims table').tBodies[0].rows]"
        ".filter(r => !r.hidden).map(r => Number(r.cells[0].textContent))"
    )


def write(page, words):
    page.run("document.getElementById('filter').value = ''")
    page.run("document.getElementById('filter').focus()")
    page.write(words)


def test_every_figure_is_seen_and_nothing_goes_wrong(page):
    page.run("document.getElementById('E05').scrollIntoView()")
    page.wait("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert page.run("document.images.length") == 1
    assert page.run("document.images[0].alt") == "One <i>line</i>."
    assert page.run("document.querySelectorAll('#E05 b, #E05 i').length") == 0
    assert page.console == []


def test_claims_are_found_by_words(page):
    write(page, "wrong E05")
    wanted = [
        claim.number
        for text in TEXTS
        for claim in read(text)
        if claim.verdict == "wrong" and any("E05" in entry for entry in claim.shown)
    ]
    assert wanted and set(wanted) <= set(visible(page))
    assert len(visible(page)) < 87
    assert page.run("document.getElementById('found').textContent") == (
        f"{len(visible(page))} of 87 claims"
    )
    write(page, "nonsuch")
    assert visible(page) == []


def test_every_experiment_of_a_claim_is_found(page):
    write(page, "E01")
    wanted = [
        claim.number
        for text in TEXTS
        for claim in read(text)
        if any(entry.startswith("E01") for entry in claim.shown)
    ]
    assert 24 in wanted and visible(page) == wanted  # of 24 it is not the first


def test_a_heading_sorts_them(page):
    write(page, " ")
    assert visible(page) == list(range(1, 88))
    page.run("document.querySelectorAll('#claims thead button')[0].click()")
    page.run("document.querySelectorAll('#claims thead button')[0].click()")
    assert visible(page) == list(range(87, 0, -1))


def test_a_claim_says_what_held_and_leads_to_its_figure(page):
    cell = "document.querySelector('#claim-33 td:last-child')"
    assert "printed equation fails" in page.run(f"{cell}.textContent")
    found = page.run(f"{cell}.innerHTML")
    assert "closed form is the enumeration <strong>does not hold</strong>" in found
    target = page.run(f"{cell}.querySelector('a').getAttribute('href')")
    assert page.run(f"document.querySelector('{target} img') !== null")


def test_it_fits_a_phone(page):
    page.resize(390, 800, mobile=True)
    assert page.run("document.documentElement.scrollWidth") <= 390
    page.resize(1200, 900)
