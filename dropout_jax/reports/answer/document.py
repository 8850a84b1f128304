# SPDX-License-Identifier: Apache-2.0
"""The answer as one Markdown page; its generated part stands between two markers."""

from collections.abc import Collection
from pathlib import Path

from dropout_jax.config.causes import reading
from dropout_jax.config.errors import UserError
from dropout_jax.files import content
from dropout_jax.reports import fonts
from dropout_jax.reports.answer.captions import (
    budget_caption,
    differences_caption,
    strength_caption,
)
from dropout_jax.reports.answer.cell import Cell
from dropout_jax.reports.answer.judging import Answer
from dropout_jax.reports.answer.tables import overview, parts
from dropout_jax.reports.answer.words import conditions, sentences, state
from dropout_jax.reports.render import Part, escaped, grid

BEGIN, END = "<!-- answer -->", "<!-- /answer -->"


def generated(
    answer: Answer, drawn: Collection[str], pictures: str, command: str
) -> str:
    """The generated part: conditions, all cells at a glance, then cell by cell.

    Args:
      answer: what is told.
      drawn: names of the figures' files.
      pictures: where they lie, as seen from the page.
      command: what to type to write it again.
    """
    blocks = [f"Written by `{command}`." if command else ""]
    blocks.append("\n".join(f"- {escaped(said)}" for said in conditions(answer)))
    if lack := fonts.told(m for cell in answer.cells for m in cell.methods):
        blocks.append(escaped(lack))
    if "differences.png" in drawn:
        blocks.append(_picture("differences", differences_caption(answer), pictures))
    blocks += map(_table, overview(answer))
    blocks += [_cell(answer, cell, drawn, pictures) for cell in answer.cells]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _cell(answer: Answer, cell: Cell, drawn: Collection[str], pictures: str) -> str:
    said = [s for measure in cell.measures for s in sentences(answer, cell, measure)]
    blocks = [f"## {escaped(cell.name)}"]
    blocks += [escaped(sentence) for sentence in (*state(cell), *said)]
    if cell.finals or cell.choices:
        blocks += map(_table, parts(answer, cell))
    if cell.notes:
        blocks.append("\n".join(f"- {escaped(note)}" for note in cell.notes))
    for kind, caption in (("strength", strength_caption), ("trials", budget_caption)):
        name = f"{kind}_{cell.name}"
        if f"{name}.png" in drawn:
            blocks.append(_picture(name, caption(cell), pictures))
    return "\n\n".join(block for block in blocks if block)


def _table(part: Part) -> str:
    return f"{escaped(part.caption)}:\n\n{grid(part.headings, part.rows)}".rstrip()


def _picture(name: str, caption: str, pictures: str) -> str:
    return f"![{name}]({pictures}/{name}.png)\n\n*{escaped(caption)}*"


def page(path: Path, part: str) -> str:
    """The page with its generated part replaced; a new page where there is none.

    Args:
      path: of the page.
      part: what stands between the markers.

    Raises:
      UserError: the page cannot be read, or lacks one of the two markers.
    """
    with reading(path):
        found = content(path)
    if found is None:
        return f"# The answer\n\n{BEGIN}\n{part}{END}\n"
    try:
        text = found.decode()
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is no UTF-8 text ({error}); name another page"
        ) from None
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(
            f"{path} lacks {END if begin else BEGIN}: add a line {BEGIN} and below it "
            f"a line {END}, between which the answer is written"
        )
    return f"{before}{BEGIN}\n{part}{END}{after}"
