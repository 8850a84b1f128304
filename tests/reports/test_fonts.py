# SPDX-License-Identifier: Apache-2.0
"""Names of methods in any script: figures have their letters, or boxes and a line."""

import warnings

import pytest
from matplotlib.figure import Figure

from dropout_jax.reports import fonts
from dropout_jax.reports.figures import as_files, style

KNOWN = ["none", "décroissance", "затухание", "Ωmega", "הרף"]
UNKNOWN = "\U000e0fff\ufdd0"  # code points that no font will ever have


def drawn(name, names):
    figure = Figure()
    with style(names):
        figure.subplots().set_title(name)
        return as_files({"a": figure})


def test_plain_names_are_drawn_as_ever():
    assert fonts.families(KNOWN) == [fonts.FAMILY]
    assert fonts.lacking(KNOWN) == fonts.told(KNOWN) == ""
    with style():
        before = Figure()
        before.subplots().set_title("none")
        assert as_files({"a": before}) == drawn("none", KNOWN)


def test_letters_that_no_font_has_are_told_once():
    names = ["none", f"a{UNKNOWN}b", UNKNOWN]
    assert fonts.lacking(names) == "".join(sorted(UNKNOWN))
    assert fonts.told(names).endswith("figures show boxes in their place.")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert drawn(names[1], names)["a.png"]


def test_an_installed_font_that_has_the_letters_is_taken(monkeypatch):
    class Entry:
        def __init__(self, name):
            self.name = self.fname = name

    letters = {
        fonts.FAMILY: set("abc"),
        "Han": set("漢字"),
        "Last Resort": set("漢字仮"),
    }
    entries = [Entry(name) for name in (*letters, "Some")]
    monkeypatch.setattr(fonts.fontManager, "ttflist", entries)
    monkeypatch.setattr(fonts, "_of", lambda file: frozenset(letters.get(file, "b漢")))
    fonts._chosen.cache_clear()
    try:
        assert fonts.families(["abc"]) == [fonts.FAMILY]
        assert fonts.families(["a漢字"]) == [fonts.FAMILY, "Han"]
        assert fonts.lacking(["漢仮"]) == "仮"
    finally:
        fonts._chosen.cache_clear()


@pytest.mark.parametrize("file", ["/not/here.ttf", __file__])
def test_a_font_that_cannot_be_read_has_no_letters(file):
    assert fonts._of(file) == frozenset()
