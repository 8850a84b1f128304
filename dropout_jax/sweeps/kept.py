# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of finished trials: removed, unless a study is asked to keep them.

A ledger needs none, and a study of a thousand trials would fill a disk with them.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from dropout_jax import stored
from dropout_jax.sweeps.study import StudyDirectory
from dropout_jax.sweeps.trials import Trial

FLAG = "keep_checkpoints"
HELP = (
    "Keep the checkpoints of trials that end from now on, for load_run; else they are "
    "removed. The study remembers it."
)


def keep(study: StudyDirectory) -> None:
    """Has a study keep the checkpoints of the trials that end from now on."""
    study.remember(checkpoints={"keep": True})


def keeps(study: StudyDirectory) -> bool:
    """Whether a study keeps the checkpoints of finished trials."""
    found = (study.about() or {}).get("checkpoints", {})
    return stored.expect(study.path / "study.json", found, "keep", bool, False)


def tidy(study: StudyDirectory, batch: Sequence[Trial]) -> None:
    """Removes the checkpoints of trials that trained in step, unless they are kept.

    Args:
      study: the directory.
      batch: the trials, all of them finished.
    """
    if not keeps(study):
        shutil.rmtree(study.group_directory(batch) / "checkpoints", ignore_errors=True)
