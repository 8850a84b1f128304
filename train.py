# SPDX-License-Identifier: Apache-2.0
"""Trains one model and tests it.

python train.py --config=configs/cnn.py --config.seed=3 --workdir=runs/a
"""

import signal

# Ctrl-C while the imports below are going on: an end, and no traceback.
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import sys
from pathlib import Path

from absl import flags

from dropout_jax.config import command_line


def run(flag_values: flags.FlagValues) -> int:
    """Trains what the flags describe.

    Args:
      flag_values: `config` and `workdir`, checked.

    Returns:
      0, or 1 if the run diverged.
    """
    # The run imports JAX, for which the answer to what is wrong need not wait.
    from dropout_jax import training
    from dropout_jax.training import portable
    from dropout_jax.training.run_directory import RunDirectory

    portable.enable()
    RunDirectory(flag_values.workdir).check(flag_values.config)
    result = training.run(
        flag_values.config,
        flag_values.workdir,
        accept_changes=flag_values.accept_changes,
    )
    return 0 if result.status == "done" else 1


def define(flag_values: flags.FlagValues) -> None:
    """Defines the flag of this command alone."""
    flags.DEFINE_boolean(
        "accept_changes",
        False,
        "Go on with a run that was computed with other data, another plugin or other "
        "settings of JAX; its result says what it mixes.",
        flag_values=flag_values,
    )


if __name__ == "__main__":
    default = Path(__file__).parent / "configs" / "default.py"
    sys.exit(
        command_line.main(
            run, description=__doc__, default_config=default, define=define
        )
    )
