# SPDX-License-Identifier: Apache-2.0
"""The letters of figures: of Matplotlib's own font, then of those installed here."""

import functools
from collections.abc import Iterable

from matplotlib.font_manager import fontManager
from matplotlib.ft2font import FT2Font

FAMILY = "DejaVu Sans"  # ships with Matplotlib: the same on every machine
_BOXES = "Last Resort"  # a font of Matplotlib's, that has a box for every letter
# What Matplotlib says of each letter that no font has; `lacking` says it once.
WARNING = r"Glyph .* missing from font"


def families(texts: Iterable[str]) -> list[str]:
    """Returns the font families in which texts are drawn, the first of them `FAMILY`.

    Others are installed fonts, for letters that it has not; usually there are none.

    Example:
      >>> families(["none", "décroissance", "затухание"])
      ['DejaVu Sans']
    """
    return list(_chosen(_letters(texts))[0])


def lacking(texts: Iterable[str]) -> str:
    """Returns the letters of texts that no font here has, in order.

    Example:
      >>> lacking(["none", "Ωmega"])
      ''
    """
    return _chosen(_letters(texts))[1]


def told(texts: Iterable[str]) -> str:
    """Says which letters a figure shows as boxes; "" if it has them all."""
    letters = lacking(texts)
    if not letters:
        return ""
    return f"No font here has {' '.join(letters)}: figures show boxes in their place."


def _letters(texts: Iterable[str]) -> str:
    return "".join(sorted({c for text in texts for c in text if not c.isspace()}))


@functools.cache
def _chosen(letters: str) -> tuple[tuple[str, ...], str]:
    """Returns families, and what of the letters none of them has."""
    files = {font.name: font.fname for font in reversed(fontManager.ttflist)}
    found, left = [FAMILY], set(letters) - _of(files.pop(FAMILY))
    names = [name for name in sorted(files) if not name.startswith(_BOXES)]
    while left:
        best = max(names, key=lambda name: len(left & _of(files[name])))
        if not left & _of(files[best]):
            break
        found.append(best)
        left -= _of(files[best])
    return tuple(found), "".join(sorted(left))


@functools.cache
def _of(file: str) -> frozenset[str]:
    """Returns the letters that Matplotlib draws of a font."""
    try:
        font = FT2Font(file)
        # Pictures of letters, as for emoji, are no outlines that it could draw.
        return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()
    except (OSError, RuntimeError, ValueError):  # of an unknown kind, or gone
        return frozenset()
