# SPDX-License-Identifier: Apache-2.0
"""A run whose output nobody takes goes on to its end, and its status is true."""

import subprocess
import sys
from pathlib import Path

import pytest

from dropout_jax import slow, training
from dropout_jax.training.progress import TerminalProgress
from dropout_jax.training.run_directory import RunDirectory

ROOT = Path(__file__).parents[2]
OUTPUTS = ["| true", "> /dev/full", "<&- >&- 2>&-"]


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_training_goes_on_to_its_end(tmp_path, quick_environment, output):
    flags = "--config=configs/smoke.py --config.train.epochs=3"
    words = f"{sys.executable} train.py {flags} --workdir={tmp_path}/run"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {words} {output}"],
        cwd=ROOT,
        env=quick_environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    run = RunDirectory(tmp_path / "run")
    assert (done.returncode, run.status) == (0, "done")
    assert [record["epoch"] for record in run.metrics()] == [1, 2, 3]
    assert run.result() is not None and list(run.checkpoints.iterdir())
    assert "Traceback" not in done.stderr
    assert ("cannot be written (No space" in done.stderr) == ("full" in output)


def test_whoever_ends_the_process_in_the_middle_is_told_of_in_the_status(
    tiny, tmp_path
):
    """As Rich's own console does when its output is gone."""

    class Ending(TerminalProgress):
        def epoch(self, record):
            raise SystemExit(1)

    with pytest.raises(SystemExit):
        training.run(tiny(), tmp_path / "run", progress=Ending())
    assert RunDirectory(tmp_path / "run").status == "failed"
    assert training.run(tiny(), tmp_path / "run").status == "done"


def test_a_compilation_that_takes_long_is_told(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(slow.told_if_slow.__wrapped__, "__defaults__", (0.0,))
    training.run(tiny(), tmp_path / "run")
    assert capsys.readouterr().out.splitlines()[0] == "compiling"
