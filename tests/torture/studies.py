# SPDX-License-Identifier: Apache-2.0
"""Studies of short trials, and what their ledgers found."""

import io

from rich.console import Console

from benchmarks import disturbed
from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.sweeps import StudyDirectory, plan


def trials(count, **fields):
    """Returns trials of a moment each: an arm, seeds."""
    base = override(defaults(), {**disturbed.TINY, "noise.rates": (0.2,), **fields})
    return plan("tiny", base, [{"arm": "a", "seed": seed} for seed in range(count)])


def study_of(directory, trials):
    """Returns a study with these trials planned."""
    study = StudyDirectory(directory)
    study.extend(trials)
    return study


def results(study):
    """What each trial found, by id; a trial twice is an error."""
    found, doubled = disturbed.results(study)
    assert not doubled
    return found


def console():
    """Output that can be read with `.file.getvalue()`."""
    return Console(file=io.StringIO(), width=200)
