# SPDX-License-Identifier: Apache-2.0
"""docs/claims.html in a real browser: claims found and sorted, figures seen."""

import pytest
from matplotlib.figure import Figure

from chromium import Chromium
from experiments import evidence
from experiments.checks import Identity
from experiments.claims import every, site
from experiments.experiment import Experiment, Findings

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page on which one experiment has run, opened."""
    root = tmp_path_factory.mktemp("site")
    checks = {
        "printed equation fails": Identity("it is <b>off</b>", 0.7, low=0.5),
        "closed form is the enumeration": Identity("it is off", 0.7, high=0.5),
    }
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1])
    findings = Findings(checks, ["a"], [[1.0]], figure, "One <i>line</i>.")
    experiment = Experiment("E05", "A & B?", "Looking.", "None.", "A.", lambda q: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "ROOT", root)
        patch.setattr(
            evidence, "experiments", lambda: {"E01": "", "E05": "", "E06": ""}
        )
        evidence.store(experiment, findings, 1.0, quick=False)
        # Of the other checks that claims name, none is part of this experiment.
        patch.setattr(
            evidence,
            "check_of",
            lambda _, name: {
                "kind": "identity",
                "holds": name not in checks or checks[name].holds,
            },
        )
        patch.setattr(site, "seen", lambda entry: entry.split(": ", 1))
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
        for claim in every()
        if claim.verdict == "wrong" and any("E05" in entry for entry in claim.shown)
    ]
    assert wanted and set(wanted) <= set(visible(page))
    assert len(visible(page)) < len(every())
    assert page.run("document.getElementById('found').textContent") == (
        f"{len(visible(page))} of {len(every())} claims"
    )
    write(page, "nonsuch")
    assert visible(page) == []


def test_every_experiment_of_a_claim_is_found(page):
    write(page, "E01")
    wanted = [
        claim.number
        for claim in every()
        for texts in [(*claim.shown, *claim.seen, claim.right, claim.not_shown)]
        if any("E01" in text for text in texts)
    ]
    # Of 24 it is not the first, and 79 has it among what was seen.
    assert {24, 79} <= set(wanted) and visible(page) == wanted


def test_a_heading_sorts_them(page):
    write(page, " ")
    numbers = [claim.number for claim in every()]
    assert visible(page) == numbers
    page.run("document.querySelectorAll('#claims thead button')[0].click()")
    page.run("document.querySelectorAll('#claims thead button')[0].click()")
    assert visible(page) == sorted(numbers, reverse=True)


def test_a_claim_says_what_held_and_leads_to_its_figure(page):
    cell = "document.querySelector('#claim-33 td:nth-child(7)')"
    assert "printed equation fails" in page.run(f"{cell}.textContent")
    found = page.run(f"{cell}.innerHTML")
    assert "closed form is the enumeration <strong>does not hold</strong>" in found
    target = page.run(f"{cell}.querySelector('a').getAttribute('href')")
    assert page.run(f"document.querySelector('{target} img') !== null")


def test_a_verdict_that_changed_is_shown_with_both_and_leads_to_its_claim(page):
    row = (
        "[...document.querySelectorAll('#changed tbody tr')]"
        ".find(r => r.cells[0].textContent == '84')"
    )
    words = page.run(f"[...{row}.cells].map(c => c.textContent)")
    assert words[:3] == ["84", "wrong", "holds with a condition"]
    target = page.run(f"{row}.querySelector('a').getAttribute('href')")
    assert page.run(f"document.querySelector('{target} td').textContent") == "notes"


def test_it_fits_a_phone(page):
    page.resize(390, 800, mobile=True)
    assert page.run("document.documentElement.scrollWidth") <= 390
    page.resize(1200, 900)
