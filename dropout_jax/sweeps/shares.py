# SPDX-License-Identifier: Apache-2.0
"""How a machine is divided between the workers of a study, which remembers it.

Sums are rounded by the number of threads. So all workers have the same number, it does
not depend on how many trials are left, and a study that goes on has the number it
began with, wherever the machine has so many cores.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from dropout_jax import stored
from dropout_jax.sweeps.study import StudyDirectory
from dropout_jax.training import processor


@dataclasses.dataclass(frozen=True)
class Shares:
    """The division of a machine.

    Attributes:
      workers: number of processes.
      threads: cores that each has to itself; 0: as many as it is given (on a GPU).
    """

    workers: int
    threads: int


def cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def equal(workers: int) -> Shares:
    """Returns this machine in equal shares, of at least one core each."""
    return Shares(workers, max(1, cores() // workers))


def chosen(
    study: StudyDirectory, left: int, *, workers: int = 0, most: int, gpus: bool
) -> tuple[Shares, str]:
    """Returns how to divide this machine, and what must be said about it.

    Args:
      study: the directory, which may remember how it was begun.
      left: number of trials that are to run.
      workers: number of processes that a user asks for; 0: as the study began, or as
        many as pay here.
      most: number of processes that pay here.
      gpus: whether they compute on GPUs, where threads change no number.
    """
    began = remembered(study)
    if gpus:
        count = workers or (began.workers if began else min(most, left))
        return Shares(count, 0), ""
    if workers:
        now = equal(workers)
    elif began is None or not began.threads:
        now = equal(min(most, left))
    else:
        threads = min(began.threads, cores())
        now = Shares(max(1, min(began.workers, cores() // threads)), threads)
    return now, _said(study, began, now)


def remember(study: StudyDirectory, shares: Shares) -> None:
    """Has the study go on with the same division."""
    execution = {**dataclasses.asdict(shares), "processor": processor.model()}
    study.remember(execution=execution)


def remembered(study: StudyDirectory) -> Shares | None:
    """Returns how the study was divided last; None before it began."""
    found = (study.about() or {}).get("execution")
    if found is None:
        return None
    place = study.path / "study.json"
    workers, threads = (stored.expect(place, found, n, int) for n in _NAMES)
    if workers < 1 or threads < 0:
        raise stored.Damaged(f"{place}: no study has {workers} workers of {threads}")
    return Shares(workers, threads)


_NAMES = ("workers", "threads")


def _said(study: StudyDirectory, began: Shares | None, now: Shares) -> str:
    """Says what differs from how the study began; "" if nothing is to be said."""
    about: dict[str, Any] = (study.about() or {}).get("execution", {})
    if began is None:
        return ""
    was, here = str(about.get("processor", "")), processor.model()
    changes = []
    if began.threads and began.threads != now.threads:
        changes.append(f"{began.threads} threads a worker, now {now.threads}")
    if was and was != here:
        changes.append(f"{was}, now {here}")
    if not changes:
        return ""
    return f"the study began with {'; '.join(changes)}: the last bits may differ"
