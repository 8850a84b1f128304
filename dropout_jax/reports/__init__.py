# SPDX-License-Identifier: Apache-2.0
"""A study turned into an answer: table, verdict, figures and one HTML page.

Everything is read from a ledger on disk, nothing from live objects, and nothing here
imports JAX.
"""

from dropout_jax.reports.render import TerminalTable, as_json, markdown
from dropout_jax.reports.selection import choose
from dropout_jax.reports.study import Study, load_study
from dropout_jax.reports.table import Row, Table
from dropout_jax.reports.tabulation import tabulate
from dropout_jax.reports.trial import Trial
from dropout_jax.reports.verdict import sentences, verdict
from dropout_jax.reports.why import gap_notes
from dropout_jax.reports.write import write_report

__all__ = [
    "Row",
    "Study",
    "Table",
    "TerminalTable",
    "Trial",
    "as_json",
    "choose",
    "gap_notes",
    "load_study",
    "markdown",
    "sentences",
    "tabulate",
    "verdict",
    "write_report",
]
