# SPDX-License-Identifier: Apache-2.0
"""The settings that were tried, by validation alone, and which one was chosen."""

from dropout_jax.reports.knobs import curves
from dropout_jax.reports.numbers import NOTHING, bracketed, setting_text
from dropout_jax.reports.selection import Candidate, Selection

SETTING_HEADINGS = ("method", "setting", "validation accuracy, %", "seeds", "chosen")


def setting_cells(selection: Selection, candidate: Candidate) -> list[str]:
    """One setting as the cells below SETTING_HEADINGS."""
    varied = {k: candidate.setting[k] for k in selection.varied(candidate.arm)}
    seeds, unfinished = len(candidate.accuracies), candidate.unfinished
    return [
        candidate.arm,
        setting_text(varied),
        bracketed(candidate.mean),
        f"{seeds} ({unfinished} without results)" if unfinished else str(seeds),
        "chosen" if _is_chosen(selection, candidate) else NOTHING,
    ]


def _is_chosen(selection: Selection, candidate: Candidate) -> bool:
    return candidate.mean is not None and candidate is selection.chosen[candidate.arm]


def setting_rows(selection: Selection) -> list[tuple[bool, list[str]]]:
    """Every setting of every method that had a choice, and whether it was chosen."""
    return [
        (
            candidate is selection.chosen[candidate.arm],
            setting_cells(selection, candidate),
        )
        for candidate in selection.candidates
    ]


def sensitivity_notes(selection: Selection) -> tuple[str, ...]:
    """How far each knob moves validation over its range, with its interval.

    Example:
      >>> from dropout_jax.reports.study import Study
      >>> sensitivity_notes(Selection(Study("s", ()), (), {}))
      ()
    """
    notes = []
    for name, lines in curves(selection).items():
        for line in lines:
            if line.moves is None:
                continue
            span = f"{line.arm}: over {len(line.points)} values of {name}"
            moved = f"mean validation accuracy moves by {bracketed(line.moves)} points"
            kind = "" if line.moves.low != line.moves.low else " (95 % Tukey interval)"
            notes.append(f"{span} {moved}{kind}.")
    return tuple(notes)
