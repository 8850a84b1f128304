# SPDX-License-Identifier: Apache-2.0
"""With what and where a run computes: inputs, versions, device, processor, code."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib.metadata import (
    PackageNotFoundError,
    packages_distributions,
    version,
)
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from dropout_jax import keys
from dropout_jax.data import Dataset
from dropout_jax.training import plugin as plugins
from dropout_jax.training import plugin_source, processor, settings
from dropout_jax.training.parts import Part

# What git tells a hook, which may be what started this process.
_OF_ANOTHER_TREE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_EXTERNAL_DIFF")
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "orbax-checkpoint")


def _git(*arguments: str) -> bytes | None:
    """Returns what git says of the source tree; None if it is not there, or hangs.

    Bytes: a file that was changed may hold anything.
    """
    found = {k: v for k, v in os.environ.items() if k not in _OF_ANOTHER_TREE}
    try:
        done = subprocess.run(
            ("git", "-C", str(Path(__file__).parent), *arguments),
            env=found,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _commit() -> dict[str, Any]:
    """Returns the commit of the source tree and its changes; null what is not known."""
    commit, changes = _git("rev-parse", "HEAD"), _git("diff", "HEAD")
    # Warnings and the like are no commit.
    known = commit is not None and re.fullmatch(rb"[0-9a-f]{40,64}", commit)
    digest = None if changes is None else ""
    return {
        "commit": commit.decode() if commit and known else None,
        "modified": None if changes is None else bool(changes),
        "difference_sha256": hashlib.sha256(changes).hexdigest() if changes else digest,
    }


def _threads() -> int:
    """Returns the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def versions(plugin: str = "") -> dict[str, str]:
    """Returns the versions on which a run's last bits depend.

    Args:
      plugin: of its configuration, may be empty; the packages that it imports count.
    """
    names = dict.fromkeys((*PACKAGES, "dropout_jax"))
    if plugin:
        known = packages_distributions()
        for module in plugin_source.packages(plugin):
            names |= dict.fromkeys(known.get(module, ()))
    found = {"python": platform.python_version()}
    for name in names:
        with contextlib.suppress(PackageNotFoundError):  # not installed: a directory
            found[name] = version(name)
    return found


def inputs(plugin: str, data: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Returns what makes another result, as of this moment (`fingerprint`).

    Args:
      plugin: of the configuration, may be empty.
      data: `Dataset.inputs` of the data; None: they are left out.

    What the plugin itself sets is no setting: it is in the source of the plugin.
    """
    source = plugin_source.sha256(plugin) if plugin else None
    found = settings.numbers()
    for name, (before, after) in plugins.changed_settings(plugin).items():
        if found[name] == after:
            found[name] = before
    return {
        **(data or {}),
        **({} if source is None else {"plugin": source}),
        **found,
    }


def capture(
    dataset: Dataset, plugin: str, *, step: int, devices: int, lanes: int, workers: int
) -> Part:
    """Returns everything outside the config that a run's numbers may depend on.

    Args:
      dataset: what the run trains on.
      plugin: of its configuration, may be empty.
      step: the number of steps taken when the part begins.
      devices: among which each batch is split.
      lanes: number of trials that train in step.
      workers: number of processes that share this machine.
    """
    device = next(iter(jnp.zeros(()).devices()))  # where arrays are made
    return {
        "step": step,
        "inputs": inputs(plugin, dataset.inputs),
        "versions": versions(plugin),
        "prng": keys.IMPLEMENTATION,
        "flags": settings.rounding(),
        "device": {
            "platform": device.platform,
            "kind": device.device_kind,
            "count": jax.device_count(),
        },
        "devices": devices,
        "processor": {
            "model": processor.model(),
            "vector_extensions": processor.vector_extensions(),
        },
        "threads": _threads(),
        "workers": workers,
        "lanes": lanes,
        "machine": platform.platform(),
        "git": _commit(),
        "data": {
            "name": dataset.name,
            "source": dataset.source,
            "sha256": dataset.sha256,
            # By these a run predicts where its data are not.
            "image_shape": list(dataset.train_images.shape[1:]),
            "classes": dataset.num_classes,
            "train_size": len(dataset.train_labels),
        },
        "plugin": plugin,
        **_about_plugin(plugin),
    }


def _about_plugin(plugin: str) -> dict[str, Any]:
    """Returns where a plugin's file was, and what its import changed of JAX."""
    found: dict[str, Any] = {}
    if plugin_source.is_path(plugin):
        found["plugin_file"] = str(Path(plugin).absolute())
    if changed := plugins.changed_settings(plugin):
        found["plugin_settings"] = {name: after for name, (_, after) in changed.items()}
    return found
