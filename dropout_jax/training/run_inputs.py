# SPDX-License-Identifier: Apache-2.0
"""The inputs that a run was computed with, compared with those of this process."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from dropout_jax import stored
from dropout_jax.config.causes import reading
from dropout_jax.config.errors import UserError
from dropout_jax.training import checkpoints, fingerprint, outcome, parts
from dropout_jax.training.run_directory import RunDirectory


def check(
    run: RunDirectory, inputs: fingerprint.Inputs, *, accept: bool = False
) -> dict[str, tuple[Any, Any]]:
    """Returns how the inputs differ from those that a run was computed with.

    Nothing is written. Where nothing of the run is saved, nothing can be mixed, and
    nothing is compared.

    Args:
      run: its directory.
      inputs: those of this process.
      accept: whether the run may go on with others.

    Raises:
      UserError: they differ, and that is not accepted or cannot work.
    """
    with reading(run.path):
        differing = fingerprint.differences(saved(run), inputs)
    fits = all(map(fingerprint.acceptable, differing))
    if differing and not (accept and fits):
        was, now = fingerprint.described(differing)
        ways = [fingerprint.cure(differing), "choose another --workdir"]
        ways += [f"accept it with {fingerprint.ACCEPT}"] * fits
        raise UserError(
            f"--workdir {run.path} was computed with {was}, and this process has "
            f"{now}: {', '.join(ways[:-1])}, or {ways[-1]}"
        )
    return differing


def saved(run: RunDirectory) -> fingerprint.Inputs:
    """Returns the inputs of what a run has saved last; empty where nothing tells them.

    env.json names them; where it was lost, the result or the newest checkpoint does.
    """
    if not _begun(run):
        return {}
    for tell in (_of_parts, _of_result, _of_checkpoint):
        with contextlib.suppress(stored.Damaged):
            if found := tell(run):
                data = (run.config() or {}).get("data")
                name = data.get("name") if isinstance(data, Mapping) else None
                return fingerprint.completed(found, str(name))
    return {}


def _begun(run: RunDirectory) -> bool:
    """Whether a run has left a result or a checkpoint."""
    if run.status in outcome.FINISHED:
        return True
    there = run.checkpoints
    return there.is_dir() and any(path.name.isdigit() for path in there.iterdir())


def _of_parts(run: RunDirectory) -> fingerprint.Inputs:
    known = parts.in_effect(run.parts())
    return known[-1]["inputs"] if known else {}


def _of_result(run: RunDirectory) -> fingerprint.Inputs:
    stretches = stored.expect(run.path, run.result() or {}, "inputs", list, [])
    return stored.expect(run.path, stretches[-1], "inputs", dict) if stretches else {}


def _of_checkpoint(run: RunDirectory) -> fingerprint.Inputs:
    host = checkpoints.host(run.checkpoints)
    return stored.expect(run.checkpoints, host, "inputs", dict, {})
