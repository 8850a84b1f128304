# SPDX-License-Identifier: Apache-2.0
"""What must be said about a table."""

from collections.abc import Sequence

from dropout_jax.evaluation.statistics import BCA_FROM, P_VALUE_FROM
from dropout_jax.reports.numbers import bracketed, counted, setting_text
from dropout_jax.reports.selection import Selection
from dropout_jax.reports.table import Row


def table_notes(selection: Selection, rows: Sequence[Row]) -> tuple[str, ...]:
    """Says everything that a reader needs to read the numbers rightly.

    Args:
      selection: the study with the settings that were chosen.
      rows: those of its table, the baseline first.

    Returns:
      Sentences of plain text.
    """
    study = selection.study
    notes = []
    reference = rows[0]
    pairs = [len(row.difference.seeds) for row in rows if row.difference]
    if any(n > 1 for n in pairs):
        kind = "t" if min(pairs) < BCA_FROM else "BCa bootstrap"
        if min(pairs) < BCA_FROM <= max(pairs):
            kind = f"t (BCa bootstrap from {BCA_FROM} pairs)"
        notes.append(
            "Brackets and ± are 95 % intervals over seeds (t); differences are paired "
            f"by seed ({kind}) and each interval stands for its own row."
        )
    if any(n >= P_VALUE_FROM for n in pairs):
        notes.append(
            "p: exact sign-flip permutation test, two-sided, Holm-adjusted over the "
            "methods of this table."
        )
    if any(n < P_VALUE_FROM for n in pairs):
        notes.append(f"No p-value is given under {P_VALUE_FROM} paired seeds.")
    if 1 in pairs:
        notes.append("A single seed has no interval: it shows nothing about chance.")

    if not reference.seeds:
        notes.append(f"{reference.arm} has no results, so nothing can be paired.")
    for row in rows:
        for status, count in row.lost.items():
            notes.append(
                f"{row.arm}: {counted(count, 'run')} {status}, counted and not "
                "averaged; its means describe the runs that finished."
            )
        if not row.seeds and not row.lost and row is not reference:
            notes.append(f"{row.arm}: no run in the ledger.")
        if row is not reference and row.seeds and reference.seeds:
            notes += _pairing_note(row, reference)
    notes += [_choice_note(selection, arm) for arm in selection.chosen]
    devices = sorted({trial.device for trial in study.trials if trial.device})
    if len(devices) > 1:
        notes.append(
            f"Runs come from different devices ({'; '.join(devices)}): "
            "their wall times do not compare."
        )
    return (*notes, *study.notes)


def _pairing_note(row: Row, reference: Row) -> list[str]:
    ours, theirs = set(row.seeds), set(reference.seeds)
    if ours == theirs:
        return []
    if not ours & theirs:
        return [f"{row.arm}: shares no seed with {reference.arm}; no difference."]
    parts = [
        f"{arm} lacks {', '.join(str(seed) for seed in sorted(missing))}"
        for arm, missing in ((row.arm, theirs - ours), (reference.arm, ours - theirs))
        if missing
    ]
    return [
        f"{row.arm}: the difference uses the {counted(len(ours & theirs), 'seed')} "
        f"that both have ({'; '.join(parts)})."
    ]


def _choice_note(selection: Selection, arm: str) -> str:
    """What was chosen, on what: test was looked at for this setting alone."""
    best, tried = selection.chosen[arm], selection.among(arm)
    if best.mean is None:
        return f"{arm}: none of its {len(tried)} settings has a finished run."
    values = {knob: best.setting[knob] for knob in selection.varied(arm)}
    return (
        f"{arm}: {setting_text(values)} chosen among {len(tried)} settings by mean "
        f"validation accuracy ({bracketed(best.mean)} %, "
        f"{counted(len(best.accuracies), 'seed')}); test was looked at for it alone."
    )
