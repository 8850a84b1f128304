# SPDX-License-Identifier: Apache-2.0
"""Where a run takes place: versions, device, threads, code and data."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from dropout_jax import keys, stored
from dropout_jax.data import Dataset

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "orbax-checkpoint")


def _git(*arguments: str) -> str | None:
    """Returns what git says of the source tree, or None outside a checkout."""
    try:
        done = subprocess.run(
            ("git", "-C", str(Path(__file__).parent), *arguments),
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _threads() -> int:
    """Returns the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Returns the versions on which a run's last bits depend."""
    found = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}


def capture(dataset: Dataset) -> dict[str, Any]:
    """Returns everything outside the config that a run's numbers may depend on."""
    device = jax.devices()[0]
    difference = _git("diff", "HEAD")
    return {
        "format": stored.FORMAT,
        "versions": versions(),
        "prng": {
            "implementation": keys.IMPLEMENTATION,
            "partitionable": bool(jax.config.values["jax_threefry_partitionable"]),
        },
        "device": {
            "platform": device.platform,
            "kind": device.device_kind,
            "count": jax.device_count(),
        },
        "threads": _threads(),
        "machine": platform.platform(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "git": {
            "commit": _git("rev-parse", "HEAD"),
            "modified": bool(difference),
            "difference_sha256": difference
            and hashlib.sha256(difference.encode()).hexdigest(),
        },
        "data": {
            "name": dataset.name,
            "source": dataset.source,
            "sha256": dataset.sha256,
            # By these a run predicts where its data are not.
            "image_shape": list(dataset.train_images.shape[1:]),
            "classes": dataset.num_classes,
            "train_size": len(dataset.train_labels),
        },
    }
