# SPDX-License-Identifier: Apache-2.0
"""The answer of a protocol: all its cells judged as one family, drawn and told.

Everything is read from the ledgers of the protocol's stages. A cell that is unfinished
is shown as it is, without a verdict.
"""

from dropout_jax.reports.answer.cell import Cell, Choice, Final, Tried
from dropout_jax.reports.answer.judging import Answer, Row, judge
from dropout_jax.reports.answer.write import write_answer

__all__ = [
    "Answer",
    "Cell",
    "Choice",
    "Final",
    "Row",
    "Tried",
    "judge",
    "write_answer",
]
