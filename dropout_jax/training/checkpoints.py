# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: Orbax writes them, a manifest of SHA-256 sums proves them whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from dropout_jax import stored
from dropout_jax.config import causes
from dropout_jax.config.errors import UserError
from dropout_jax.files import ABSENT, refuse_odd, write_atomically
from dropout_jax.stored import Damaged
from dropout_jax.training import sets
from dropout_jax.training.lanes import widen
from dropout_jax.training.packing import empty, pack, unpack

MANIFEST = "MANIFEST.json"
KEEP = 2
UNFINISHED = "it was never finished"


class OtherProgram(Damaged):
    """A whole checkpoint of other arrays than those of this program."""


# From the JSON data of a checkpoint to shapes and dtypes of its tree, as
# `jax.eval_shape` returns them.
Shapes = Callable[[dict[str, Any]], Any]


def shapes(state: Any, lanes: int) -> Shapes:
    """Returns the shapes of a checkpoint's tree, as a function of its JSON data.

    A trial has as many sets of parameters in it as it keeps different epochs.

    Args:
      state: those of one trial's `TrainState`.
      lanes: number of trials in the group.
    """
    model = (state.params, state.model_state)
    states = state if lanes == 1 else widen(state, lanes)

    def of(host: dict[str, Any]) -> dict[str, Any]:
        saved = stored.expect(MANIFEST, host, "lanes", list)
        if len(saved) != lanes:
            raise Damaged(f"it has {len(saved)} lanes: expected {lanes}")
        each = (stored.expect(MANIFEST, lane, "sets", dict) for lane in saved)
        counts = [len(sets.epochs(MANIFEST, found)) for found in each]
        return {"state": states, "models": [[model] * count for count in counts]}

    return of


def save(directory: Path, step: int, tree: Any, host: dict[str, Any]) -> None:
    """Writes the checkpoint of `step`, then removes all but the newest `KEEP`.

    Orbax does not notice flipped bits; the manifest, written last, does, and it knows
    the arrays, of which Orbax is handed vectors of the host's. A checkpoint without a
    manifest was never finished.

    Args:
      directory: of all checkpoints of the run.
      step: number of optimiser steps taken.
      tree: a pytree of arrays of numbers; of each type one at least is not empty.
      host: JSON data that belongs to the same moment.

    Raises:
      UserError: there is no room for it, or the directory is a link. Older checkpoints
        stay, and nothing of this one.
    """
    target, needed = directory.absolute() / str(step), _room(tree)
    if (target / MANIFEST).exists():
        return
    refuse_odd(directory.parent)
    with causes.writing(target, needed):
        directory.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(directory).free
    _remove(target)
    # Orbax ends badly on a full disk, with threads that write on: better not begun.
    if free < needed:
        raise UserError(causes.no_room(target, needed, os.strerror(errno.ENOSPC)))
    vectors = pack(tree)
    try:
        with causes.writing(target, needed):
            with _unheard_threads(), _checkpointer() as checkpointer:
                checkpointer.save(target, vectors)
            files = _digests(target)
        manifest = {
            "format": stored.FORMAT,
            "step": step,
            "host": host,
            "arrays": _kinds(tree),
            "files": files,
        }
        write_atomically(target / MANIFEST, stored.sealed(manifest))
    except Exception as error:
        cause = _cause(error, directory, needed)
        _remove_what_failed(directory, target)
        if cause is None:
            raise
        raise causes.unwritable(target, cause, needed) from error
    for old in _steps(directory)[KEEP:]:
        _remove(directory / str(old))


def restore(
    directory: Path, shapes: Shapes, note: Callable[[str], object]
) -> tuple[Any, dict[str, Any]] | None:
    """Returns (tree, host) of the newest whole checkpoint, or None.

    Only reads: the run may be at work in another process.

    Args:
      directory: of all checkpoints of the run.
      shapes: of the tree.
      note: called with one line for each checkpoint that is passed over.

    Returns:
      The tree, on the default device and bound to none, whatever it was saved from,
      and the host data saved with it. None if there is no checkpoint, or
      one at most that was never finished.

    Raises:
      Damaged: there are checkpoints, and none of them is whole, or (`OtherProgram`)
        none is of this program.
      OtherVersion: another version of the package wrote the newest one.
    """
    refuse_odd(directory.parent)
    problems, other, tried = [], False, set()
    # Looked for anew each time: a run at work removes old ones for newer ones.
    while left := [step for step in _steps(directory) if step not in tried]:
        tried.add(left[0])
        path = directory.absolute() / str(left[0])
        try:
            with stored.damage(path):
                return _restore(path, shapes)
        except Damaged as error:
            if not path.is_symlink() and not path.exists():
                continue
            problems.append(str(error))
            other |= isinstance(error, OtherProgram)
            note(f"checkpoint {path} is passed over: {error}")
    if other:  # nothing is damaged, and nothing must be thrown away
        raise OtherProgram(
            f"the checkpoints in {directory} are whole, but hold the arrays of another "
            "program: use the version of this package, the plugin and the settings of "
            "JAX that env.json names, or choose another directory"
        )
    if problems and (len(problems) > 1 or problems[0] != UNFINISHED):
        raise Damaged(
            f"no checkpoint in {directory} is whole (the newest: {problems[0]}); "
            "remove the directory to start over, or restore it from a copy"
        )
    return None


def host(directory: Path) -> dict[str, Any]:
    """Returns the JSON data of the newest whole manifest; empty where there is none."""
    for step in _steps(directory):
        with contextlib.suppress(UserError):
            manifest = stored.read_sealed(directory / str(step) / MANIFEST)
            return stored.expect(MANIFEST, manifest, "host", dict)
    return {}


def _restore(path: Path, shapes: Shapes) -> tuple[Any, dict[str, Any]]:
    if path.is_symlink():
        raise Damaged("it is a link")
    if not (path / MANIFEST).exists():
        raise Damaged(UNFINISHED)
    manifest = stored.read_sealed(path / MANIFEST)
    if (found := stored.check_format(path, manifest)) != stored.FORMAT:
        raise stored.OtherVersion(
            f"{path} was written by an older version of dropout_jax: its format is "
            f"{found}, and this version reads checkpoints of format {stored.FORMAT}; "
            "use the run with that version, or run it again in a new directory"
        )
    if str(step := manifest.get("step")) != path.name:
        raise Damaged(f"it is that of step {step!r:.20}, under another name")
    host = stored.expect(MANIFEST, manifest, "host", dict)
    expected = stored.expect(MANIFEST, manifest, "files", dict)
    found = _digests(path)
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise Damaged(
                f"{name} is missing, new or does not have the SHA-256 it was saved with"
            )
    # Orbax would cast a wrong dtype without a word.
    abstract_tree = shapes(host)
    if manifest.get("arrays") != _kinds(abstract_tree):
        raise OtherProgram(
            "it holds the arrays of another program, or of another version of this one"
        )
    with _checkpointer() as checkpointer:
        try:
            vectors = checkpointer.restore(path, empty(abstract_tree))
            tree = unpack(vectors, abstract_tree)
        except Exception as error:
            cause = causes.of_system(error)
            if cause is not None and not causes.of_content(cause):
                raise causes.unreadable(path, cause) from error
            raise Damaged(f"Orbax cannot read it: {_first_line(error)}") from error
    return jax.tree.map(jnp.asarray, tree), host


def discard_after(directory: Path, step: int) -> None:
    """Removes what a run that goes on from `step` leaves behind.

    These are the damaged and the unfinished: kept, they would count among the newest
    and stand in the way when the run comes to the same step again.
    """
    _remove_unfinished(directory)
    for newer in _steps(directory):
        if newer > step:
            _remove(directory / str(newer))


@contextlib.contextmanager
def _unheard_threads() -> Iterator[None]:
    """Silences the threads of TensorStore that a failed save leaves behind.

    They come back to an event loop that Orbax has closed by then, each with a
    traceback on the terminal; the failure itself is raised.
    """
    previous = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            previous(unraisable)

    sys.unraisablehook = hook
    yield
    sys.unraisablehook = previous  # not after a failure: they are still at work


def _remove_what_failed(directory: Path, target: Path) -> None:
    """Removes a failed save, again while threads of Orbax still write to it."""
    for _ in range(5):
        _remove_unfinished(directory)
        _remove(target)
        time.sleep(0.1)


def _remove_unfinished(directory: Path) -> None:
    for stale in directory.glob("*.orbax-checkpoint-tmp*"):
        _remove(stale)


def _remove(path: Path) -> None:
    """Removes a directory, or a link to one; there need be none."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _room(tree: Any) -> int:
    """Returns the bytes that a checkpoint takes at most, with what Orbax adds."""
    arrays = jax.tree.leaves(tree)
    return sum(array.nbytes for array in arrays) + 2048 * len(arrays) + 65536


def _kinds(tree: Any) -> list[list[str]]:
    """Returns place, type and shape of each array, in the order they are packed in."""
    return [
        [jax.tree_util.keystr(path), f"{leaf.dtype}{list(leaf.shape)}"]
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    ]


def _cause(error: Exception, directory: Path, needed: int) -> OSError | None:
    """Returns what the system had against a save; None where `error` is of its own."""
    cause, told = causes.of_system(error), isinstance(error, UserError)
    if cause is None and not told and shutil.disk_usage(directory).free < needed:
        cause = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return None if told else cause


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


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
    try:
        names = os.listdir(directory)
    except ABSENT:
        return []
    return sorted((int(name) for name in names if name.isdigit()), reverse=True)


def _digests(path: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file; a link is none."""
    found = {}
    for file in sorted(path.rglob("*")):
        name = str(file.relative_to(path))
        if file.is_symlink():
            found[name] = "a link"
        elif file.is_file() and name != MANIFEST:
            with file.open("rb") as content:
                found[name] = hashlib.file_digest(content, "sha256").hexdigest()
    return found


def quiet() -> None:
    """Keeps Orbax's running commentary out of the user's terminal.

    Its errors too: what it logs it raises as well, and that becomes one line.
    """
    for name in ("absl", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
