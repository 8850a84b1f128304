# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: Orbax writes them, a manifest of SHA-256 sums proves them whole."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from dropout_jax.files import to_json, write_atomically
from dropout_jax.training.lanes import widen

MANIFEST = "MANIFEST.json"
KEEP = 2


def shapes(state: Any, lanes: int) -> dict[str, Any]:
    """Returns the shapes of a checkpoint's tree.

    Args:
      state: those of one trial's `TrainState`.
      lanes: number of trials in the group.
    """
    best = (state.params, state.model_state)
    states = state if lanes == 1 else widen(state, lanes)
    return {"state": states, "best": [best] * lanes}


def save(directory: Path, step: int, tree: Any, host: dict[str, Any]) -> None:
    """Writes the checkpoint of `step`, then removes all but the newest `KEEP`.

    Orbax does not notice flipped bits; the manifest, written last, does. A
    checkpoint without one was never finished.

    Args:
      directory: of all checkpoints of the run.
      step: number of optimiser steps taken.
      tree: any pytree of arrays.
      host: JSON data that belongs to the same moment.
    """
    directory.mkdir(parents=True, exist_ok=True)
    target = directory.absolute() / str(step)
    if (target / MANIFEST).exists():
        return
    shutil.rmtree(target, ignore_errors=True)
    with _checkpointer() as checkpointer:
        checkpointer.save(target, tree)
    manifest = {"step": step, "host": host, "files": _digests(target)}
    write_atomically(target / MANIFEST, to_json(manifest))
    for old in _steps(directory)[KEEP:]:
        shutil.rmtree(directory / str(old))


def restore(
    directory: Path, abstract_tree: Any, note: Callable[[str], object]
) -> tuple[Any, dict[str, Any]] | None:
    """Returns (tree, host) of the newest whole checkpoint, or None.

    Only reads: the run may be at work in another process.

    Args:
      directory: of all checkpoints of the run.
      abstract_tree: shapes and dtypes, as `jax.eval_shape` returns them.
      note: called with one line for each checkpoint that is passed over.

    Returns:
      The tree, and the host data saved with it. None if no checkpoint is usable.
    """
    for step in _steps(directory):
        path = directory.absolute() / str(step)
        problem = _problem(path)
        if problem:
            note(f"checkpoint {path} is passed over: {problem}")
            continue
        manifest = json.loads((path / MANIFEST).read_text())
        with _checkpointer() as checkpointer:
            tree = checkpointer.restore(path, abstract_tree)
        return tree, manifest["host"]
    return None


def discard_after(directory: Path, step: int) -> None:
    """Removes what a run that goes on from `step` leaves behind.

    These are the damaged and the unfinished: kept, they would count among the newest
    and stand in the way when the run comes to the same step again.
    """
    for stale in directory.glob("*.orbax-checkpoint-tmp*"):
        shutil.rmtree(stale, ignore_errors=True)
    for newer in _steps(directory):
        if newer > step:
            shutil.rmtree(directory / str(newer))


def sha256_of_tree(tree: Any) -> str:
    """Returns the SHA-256 over the bytes of all arrays of `tree`, in path order."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = jax.device_get(leaf)
        digest.update(jax.tree_util.keystr(path).encode())
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def model_digests(params: Any, model_state: Any) -> dict[str, str]:
    """Returns the SHA-256 of the parameters and of the batch statistics, if any."""
    found = {"parameters_sha256": sha256_of_tree(params)}
    if jax.tree.leaves(model_state):
        found["model_state_sha256"] = sha256_of_tree(model_state)
    return found


def _checkpointer() -> Any:
    # Imported when there is a checkpoint to read or write: no start waits for it.
    import orbax.checkpoint as ocp

    return ocp.StandardCheckpointer()


def _steps(directory: Path) -> list[int]:
    names = [p.name for p in directory.iterdir()] if directory.exists() else []
    return sorted((int(name) for name in names if name.isdigit()), reverse=True)


def _digests(path: Path) -> dict[str, str]:
    files = sorted(p for p in path.rglob("*") if p.is_file() and p.name != MANIFEST)
    return {
        str(p.relative_to(path)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in files
    }


def _problem(path: Path) -> str:
    manifest = path / MANIFEST
    if not manifest.exists():
        return "it was never finished"
    try:
        expected = json.loads(manifest.read_text())["files"]
    except (ValueError, KeyError):
        return f"{MANIFEST} is damaged"
    found = _digests(path)
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            return (
                f"{name} is missing, new or does not have the SHA-256 it was saved with"
            )
    return ""


def quiet() -> None:
    """Keeps Orbax's running commentary out of the user's terminal."""
    logging.getLogger("absl").setLevel(logging.ERROR)
