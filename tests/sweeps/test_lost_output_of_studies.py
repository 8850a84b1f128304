# SPDX-License-Identifier: Apache-2.0
"""A study whose output nobody takes goes on to its end; what ends a worker is told."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dropout_jax.sweeps import work, worker
from dropout_jax.sweeps.study import ATTEMPTS

ROOT = Path(__file__).parents[2]
CONFIG = """
from dropout_jax.config import defaults
from dropout_jax.config.loading import override

def get_config():
    return override(defaults(), {
        "data.name": "synthetic", "data.train_size": 64, "model.widths": (4,),
        "train.epochs": 1, "train.batch_size": 32,
    })

def sweep():
    yield {"arm": "none"}
"""


def test_no_trial_is_lost_with_the_reader_of_the_output(tmp_path, quick_environment):
    """`| head -1`: it has gone before the second trial ends."""
    (tmp_path / "tiny.py").write_text(CONFIG)
    words = [sys.executable, "-m", "dropout_jax.sweeps", "run", "--workers=1"]
    words += [f"--config={tmp_path}/tiny.py", "--seeds=3", f"--study={tmp_path}/study"]
    script = f"set -o pipefail; {' '.join(words)} | head -1"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env=quick_environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    lines = (tmp_path / "study" / "ledger.jsonl").read_text().splitlines()
    assert [json.loads(line)["seed"] for line in lines] == [0, 1, 2]
    assert (tmp_path / "study" / "report" / "report.html").is_file()


@pytest.mark.parametrize("code", [0, 2])
def test_a_trial_that_ends_the_process_has_failed(
    study, trials, console, monkeypatch, code
):
    """As a plugin can: the worker would be gone, with 0 as if all were done."""
    planned, run = trials(0, 1), worker.run_group

    def leave(configs, *args, **kwargs):
        if configs[0].seed == 0:
            sys.exit(code)
        return run(configs, *args, **kwargs)

    monkeypatch.setattr(worker, "run_group", leave)
    assert not work(study, planned, console=console)
    assert study.failures()[planned[0].id] == [f"SystemExit: {code}"] * ATTEMPTS
    assert planned[1].id in study.ledger.by_trial()
