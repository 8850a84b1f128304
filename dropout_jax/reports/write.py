# SPDX-License-Identifier: Apache-2.0
"""A report on disk: everything is drawn first, then every file appears whole."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from dropout_jax.config.causes import writing
from dropout_jax.files import write_atomically
from dropout_jax.reports.documents import captions_document, document
from dropout_jax.reports.figures import FIGURES, figures
from dropout_jax.reports.page import page
from dropout_jax.reports.render import as_json
from dropout_jax.reports.selection import choose
from dropout_jax.reports.spreadsheet import runs_csv, settings_csv, table_csv
from dropout_jax.reports.study import Study
from dropout_jax.reports.tabulation import tabulate
from dropout_jax.slow import told_if_slow

_LOG = logging.getLogger(__name__)


def write_report(
    study: Study,
    directory: str | Path,
    *,
    title: str,
    baseline: str = "none",
    arms: Sequence[str] = (),
    notes: Sequence[str] = (),
    command: str = "",
    search_budget: Mapping[str, int] | None = None,
    published: Mapping[str, str] | None = None,
) -> dict[str, Path]:
    """Writes table, figures and page of a study into a directory.

    Args:
      study: what `load_study` returned.
      directory: made where it does not exist. Files of an earlier report in it are
        replaced, each in one step, or removed; other files are left alone.
      title: heading of the page.
      baseline: the method that the others are compared with.
      arms: methods that the study should have, in the order of the table; those
        without a run are shown as missing.
      notes: paragraphs for the page's section "Why".
      command: what to type to get these numbers again.
      search_budget: number of trials spent on choosing each method's settings.
      published: results that others have printed, by method, shown beside ours.

    Returns:
      Paths by file name: report.html, table.md, table.csv, table.json, runs.csv,
      settings.csv where a method was tried with several, the figures that the study
      has the data for, each as PNG and SVG, and captions.md for them. The same study
      gives the same bytes: no time, host or user is written.

    Raises:
      UserError: a baseline that is neither in the study nor in `arms`, or a method
        with several settings and no validation accuracy to choose one by.
      UserError: the directory cannot be written.
    """
    table = tabulate(
        study,
        baseline=baseline,
        arms=arms,
        search_budget=search_budget,
        published=published,
    )
    directory = Path(directory)
    with writing(directory, 0):
        directory.mkdir(parents=True, exist_ok=True)
    with told_if_slow(_LOG.info, f"drawing the figures of {title}"):
        drawn = figures(study, table)
    selection = choose(study)
    texts = {
        "table.md": document(selection, table),
        "table.csv": table_csv(table),
        "table.json": as_json(table),
        **({"settings.csv": settings_csv(selection)} if selection.chosen else {}),
        "runs.csv": runs_csv(study, selection),
    }
    files = {name: text.encode() for name, text in texts.items()}
    html = page(
        study,
        table,
        drawn,
        title=title,
        notes=notes,
        command=command,
        downloads=files,
    )
    captions = captions_document(selection, table, drawn)
    contents = {
        **files,
        **({"captions.md": captions.encode()} if drawn else {}),
        **drawn,
        "report.html": html.encode(),
    }
    # The page comes last: who sees the new one sees new figures beside it.
    for name, content in contents.items():
        write_atomically(directory / name, content)
    for stale in (FIGURES | {"settings.csv", "captions.md"}) - contents.keys():
        (directory / stale).unlink(missing_ok=True)
    return {name: directory / name for name in contents}
