# SPDX-License-Identifier: Apache-2.0
"""An answer on disk: all of it is made first, then every file appears whole."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from dropout_jax.config.causes import writing
from dropout_jax.files import write_atomically
from dropout_jax.reports.answer.budget_figure import budget_figure
from dropout_jax.reports.answer.cell import Cell
from dropout_jax.reports.answer.differences_figure import differences_figure
from dropout_jax.reports.answer.document import generated, page
from dropout_jax.reports.answer.exports import as_csv, as_json
from dropout_jax.reports.answer.judging import judge
from dropout_jax.reports.answer.strength_figure import strength_figure
from dropout_jax.reports.figures import as_files, style
from dropout_jax.slow import told_if_slow

_FIGURES = ("differences.*", "strength_*.*", "trials_*.*")

_LOG = logging.getLogger(__name__)


def write_answer(
    cells: Sequence[Cell],
    directory: str | Path,
    *,
    document: str | Path | None = None,
    command: str = "",
) -> dict[str, Path]:
    """Writes figures, tables and the page of an answer.

    Args:
      cells: all that the protocol plans, with what each has so far.
      directory: of the figures and tables; made where it does not exist. Figures of an
        earlier answer in it are replaced or removed.
      document: the Markdown page, by default answer.md in the directory. Of a page that
        exists only the part between its markers is replaced.
      command: what to type to write it again.

    Returns:
      Paths by file name: answer.csv, answer.json, the page, and the figures that the
      cells have data for, each as PNG and SVG. The same cells give the same bytes.

    Raises:
      UserError: something cannot be written, or the page lacks its markers.
    """
    answer = judge(cells)
    directory = Path(directory)
    document = Path(document) if document else directory / "answer.md"
    names = [name for cell in cells for name in cell.methods]
    with (
        style(names),
        told_if_slow(_LOG.info, "drawing the figures of the answer"),
    ):
        drawn = as_files(
            {
                "differences": differences_figure(answer),
                **{f"strength_{cell.name}": strength_figure(cell) for cell in cells},
                **{f"trials_{cell.name}": budget_figure(cell) for cell in cells},
            }
        )
    pictures = Path(os.path.relpath(directory, document.parent)).as_posix()
    text = page(document, generated(answer, drawn, pictures, command))
    for place in (directory, document.parent):
        with writing(place, 0):
            place.mkdir(parents=True, exist_ok=True)
    contents = {"answer.csv": as_csv(answer), "answer.json": as_json(answer), **drawn}
    for name, content in contents.items():
        write_atomically(directory / name, content)
    # The page comes last: who sees the new one sees new figures beside it.
    write_atomically(document, text)
    for pattern in _FIGURES:
        for stale in directory.glob(pattern):
            if stale.name not in drawn:
                stale.unlink()
    written = {name: directory / name for name in contents}
    return written | {document.name: document}
