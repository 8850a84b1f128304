# SPDX-License-Identifier: Apache-2.0
"""What to type to run one trial of a study again."""

import shlex
from typing import Any

from dropout_jax.config.schema import BY_PATH
from dropout_jax.reports.trial import Trial


def command(trial: Trial) -> str:
    """The command line that trains a trial anew, with what differs from the defaults.

    Fields that belong to a machine (where data lie, how often it saves) are left out:
    they do not change the trial.

    Args:
      trial: its `config` has every field of the schema.

    Returns:
      One line for a POSIX shell, to be run in the repository.

    Example:
      >>> command(Trial("none", 3, "done", {"seed": 3}, {}, None))
      'python train.py --workdir=runs/none-3 --config.seed=3'
    """
    arguments = [f"--workdir=runs/{_file_name(trial)}"]
    for path, value in trial.config.items():
        field = BY_PATH.get(path)
        if field is None or not field.identity:
            continue
        if _plain(value) != _plain(field.default):
            arguments.append(f"--config.{path}={_plain(value)}")
    return shlex.join(["python", "train.py", *arguments])


def _plain(value: Any) -> Any:
    """As the command line reads it: a list of JSON is a tuple there."""
    return tuple(value) if isinstance(value, list | tuple) else value


def _file_name(trial: Trial) -> str:
    safe = "".join(c if c.isascii() and c.isalnum() else "_" for c in trial.arm)
    return f"{safe}-{trial.seed}" + (f"-{trial.id[:8]}" if trial.id else "")
