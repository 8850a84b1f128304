# SPDX-License-Identifier: Apache-2.0
"""What must be said about a table."""

from collections.abc import Sequence

from dropout_jax.evaluation.comparison import ERROR, PRIMARY, Comparison
from dropout_jax.evaluation.statistics import EXACT_UP_TO
from dropout_jax.reports.noise import SILENT, silent
from dropout_jax.reports.numbers import (
    bracketed,
    counted,
    plain,
    setting_text,
    unit_margin,
)
from dropout_jax.reports.selection import Candidate, Selection
from dropout_jax.reports.study import Study
from dropout_jax.reports.table import Row


def table_notes(
    selection: Selection, rows: Sequence[Row], *, judged: bool, kept: str
) -> tuple[str, ...]:
    """Says everything that a reader needs to read the numbers rightly.

    Args:
      selection: the study with the settings that were chosen.
      rows: those of its table, the baseline first.
      judged: whether NLL is compared.
      kept: the parameters that accuracy is of, in words.

    Returns:
      Sentences of plain text.
    """
    study = selection.study
    reference = rows[0]
    found = [c for row in rows for c in row.comparisons.values()]
    notes = _on_parameters(judged, kept) if any(row.seeds for row in rows) else []
    if any(len(row.seeds) > 1 for row in rows):
        notes.append(
            "Brackets and ± are 95 % t intervals over seeds, differences paired by "
            "seed. They cover what differs between the seeds of this study, and "
            "neither another test set nor another search for settings."
        )
    if found:
        family = found[0].family
        if any(c.p_value is not None for c in found):
            margins = " and ".join(unit_margin(c) for c in PRIMARY[: 1 + judged])
            notes.append(
                f"p: {_test_of(found)} of the paired differences, two-sided, corrected "
                f"by Holm for {counted(family, 'comparison')}; the verdict follows it. "
                "Corrected intervals have a coverage of "
                f"{100 * (1 - ERROR / family):.4g} % each. Equivalent: two one-sided "
                f"tests at a margin of {margins}, corrected likewise; their level is "
                "one-sided, so that a two-sided interval may reach beyond the margin."
            )
        if any(c.p_value is None for c in found):
            notes.append(
                "Descriptive: under 10 paired seeds, or fewer than another method has. "
                "Such a comparison is not tested, and decides nothing on other seeds."
            )
    if not reference.seeds:
        notes.append(f"{reference.arm} has no results, so nothing can be paired.")
    for row in rows:
        notes += _on_row(row, reference, study)
    notes += _still_rising(study, rows)
    for reason in dict.fromkeys(t.withdrawn for t in study.trials if t.withdrawn):
        notes.append(f"Withdrawn: {reason}.")
    notes += [_choice_note(selection, arm) for arm in selection.chosen]
    return (*notes, *study.notes)


def _on_parameters(judged: bool, kept: str) -> list[str]:
    if judged:
        return [
            f"Accuracy is that of the parameters {kept}; NLL, ECE and Brier score are "
            "those of the parameters of the epoch of the least validation NLL."
        ]
    return [
        f"All results are of the parameters {kept}; the ledger does not hold those of "
        "the least validation NLL for every run, so that no statement is made on NLL."
    ]


def _still_rising(study: Study, rows: Sequence[Row]) -> list[str]:
    """Says where training ended before validation accuracy did rise no more."""
    runs = [study.done(row.arm)[seed] for row in rows for seed in row.seeds]
    kept = [t for t in runs if "best_accuracy" in t.sets and "train.epochs" in t.config]
    last = [
        t for t in kept if t.sets["best_accuracy"].epoch == t.config["train.epochs"]
    ]
    if 2 * len(last) <= len(kept):
        return []
    return [
        f"In {len(last)} of {len(kept)} runs the epoch of the best validation accuracy "
        "is the last one: longer training may change every number here."
    ]


def _on_row(row: Row, reference: Row, study: Study) -> list[str]:
    notes = []
    for status, count in row.unfinished.items():
        rest = "; its means describe the other runs" if row.seeds else ""
        notes.append(
            f"{row.arm}: {counted(count, 'run')} {status}, counted and not "
            f"averaged{rest}."
        )
    if not row.seeds and not row.unfinished and row is not reference:
        notes.append(f"{row.arm}: no run in the ledger.")
    if row is not reference and row.seeds and reference.seeds:
        comparable = study.comparable(row.arm, reference.arm)
        notes += _pairing_note(row, reference, comparable)
    if silent(row.noise):
        notes.append(
            f"{row.arm}: without noise in effect, alpha ended below {SILENT:g} at "
            "every site of every run (geometric mean over the units of a site)."
        )
    return notes


def _test_of(found: Sequence[Comparison]) -> str:
    most = max(len(comparison.seeds) for comparison in found)
    exact = "exact sign-flip test"
    return exact if most <= EXACT_UP_TO else "sign-flip test by 99,999 random patterns"


def _pairing_note(row: Row, reference: Row, comparable: bool) -> list[str]:
    if not comparable:
        return [f"{row.arm}: other inputs than {reference.arm}; not compared."]
    ours, theirs = set(row.seeds), set(reference.seeds)
    if ours == theirs:
        return []
    if not ours & theirs:
        return [f"{row.arm}: shares no seed with {reference.arm}; not compared."]
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
    """What was chosen, on what, and which settings could not be chosen."""
    best, tried = selection.chosen[arm], selection.among(arm)
    if best.mean is None:
        return f"{arm}: none of its {len(tried)} settings has a finished run."
    seeds = len(best.accuracies)
    barred = [one for one in tried if len(one.accuracies) < seeds]
    rule = "by mean validation accuracy"
    if barred:
        rule = (
            f"by mean validation accuracy among the {len(tried) - len(barred)} that "
            f"have {counted(seeds, 'finished seed')}"
        )
    text = (
        f"{arm}: {_named(selection, best)} chosen of "
        f"{counted(len(tried), 'setting')} {rule} ({bracketed(best.mean)} %)"
    )
    better = [
        f"{_named(selection, one)} ({plain(one.mean.mean)} %, "
        f"{counted(len(one.accuracies), 'seed')})"
        for one in barred
        if one.mean is not None and one.mean.mean > best.mean.mean
    ]
    if better:
        text += (
            "; with fewer finished seeds, and therefore out of the choice, although "
            f"higher: {', '.join(better)}"
        )
    return f"{text}. Test results of the other settings are not shown."


def _named(selection: Selection, candidate: Candidate) -> str:
    varied = selection.varied(candidate.arm)
    return setting_text({knob: candidate.setting[knob] for knob in varied})
