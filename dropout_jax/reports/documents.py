# SPDX-License-Identifier: Apache-2.0
"""The Markdown files of a report: its tables, its captions."""

from collections.abc import Collection

from dropout_jax.reports.captions import printed_captions
from dropout_jax.reports.render import escaped, grid, markdown
from dropout_jax.reports.selection import Selection
from dropout_jax.reports.settings import (
    SETTING_HEADINGS,
    sensitivity_notes,
    setting_rows,
)
from dropout_jax.reports.table import Table


def document(selection: Selection, table: Table) -> str:
    """The table of results, then the settings tried.

    Args:
      selection: what each method's setting was chosen among.
      table: the results.

    Returns:
      GitHub-flavored Markdown; a part that the study has nothing for is left out.
    """
    parts = [markdown(table)]
    tried = [cells for _, cells in setting_rows(selection)]
    if tried:
        parts += [
            "## Settings tried\n",
            grid(SETTING_HEADINGS, tried),
            _items(sensitivity_notes(selection)),
        ]
    return "\n".join(parts)


def captions_document(
    selection: Selection, table: Table, drawn: Collection[str]
) -> str:
    """A caption for each figure that was drawn, with its n and interval.

    Args:
      selection: what each method's setting was chosen among.
      table: the results.
      drawn: names of the files that were drawn.
    """
    return "\n".join(
        f"**{drawing.name}.png, {drawing.name}.svg.** "
        f"{escaped(drawing.heading)}. {escaped(drawing.caption)}\n"
        for drawing in printed_captions(selection, table)
        if f"{drawing.name}.png" in drawn
    )


def _items(notes: Collection[str]) -> str:
    return "".join(f"- {escaped(note)}\n" for note in notes)
