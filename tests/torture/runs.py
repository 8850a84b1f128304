# SPDX-License-Identifier: Apache-2.0
"""Training runs as processes of their own, and what is left of them."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from dropout_jax.config import from_json
from dropout_jax.training import checkpoints, outcome
from dropout_jax.training.prepare import prepare
from dropout_jax.training.run_directory import RunDirectory

ROOT = Path(__file__).parents[2]
SECONDS = 300  # for anything here
SHORT = {
    "data.train_size": 4096,
    "train.batch_size": 64,
    "train.epochs": 2,
    "train.checkpoint_seconds": 0,
}
NETWORKS = {
    "mlp": {"model.name": "mlp", "model.widths": (64, 64)},
    "cnn": {
        "model.name": "cnn",
        "model.channels": (4, 8),
        "model.widths": (16,),
        "model.batch_norm": True,
    },
    "rnn": {"model.name": "rnn", "model.widths": (16,), "model.cell": "gru"},
}
# By network: fields of each method that is tried on it.
METHODS = {
    "weight decay": {"regularizer.weight_decay": 0.1},
    "dropout": {"noise.kind": "dropout", "noise.rates": (0.3,)},
    "gaussian dropout": {"noise.kind": "gaussian_dropout", "noise.rates": (0.3,)},
    "variational dropout": {"noise.kind": "variational_dropout"},
    "concrete dropout": {"noise.kind": "concrete_dropout"},
}


AT_ONCE = 2  # runs
SAVING = "in the middle of a checkpoint"


def fields_of(network, method):
    """The configuration of a run of some seconds."""
    return {**SHORT, **NETWORKS[network], **METHODS[method]}


def command(workdir, fields):
    """The command line of a run."""
    flags = [f"--config.{name}={value}" for name, value in fields.items()]
    return [sys.executable, "train.py", f"--workdir={workdir}", *flags]


def start(workdir, fields, environment=None):
    """Starts a run, in a process group of its own."""
    return subprocess.Popen(
        command(workdir, fields),
        cwd=ROOT,
        env=environment or os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process, seconds=SECONDS):
    """Returns the exit code, -N if signal N was its death, and both outputs."""
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, out, err


def stage(workdir):
    """Where a run is, by the files it has."""
    if not (workdir / "config.json").exists():
        return "in imports, data or compilation"
    saved = workdir / "checkpoints"
    names = [p.name for p in saved.iterdir()] if saved.exists() else []
    if any("tmp" in name for name in names):
        return SAVING
    if (workdir / "result.json").exists():
        return "after the result"
    return "in training or evaluation" if names else "before the first checkpoint"


def imports_jax(process):
    """Whether a process has come to the import of JAX."""
    try:
        return "jaxlib" in Path(f"/proc/{process.pid}/maps").read_text()
    except OSError:  # it has just ended
        return False


def kept(workdir):
    """The step of the newest whole checkpoint; 0 without any."""
    manifests = (workdir / "checkpoints").glob("*/MANIFEST.json")
    return max((int(path.parent.name) for path in manifests), default=0)


def goes_on(out, step):
    """Whether a run that was started again said that it went on from there."""
    resumed = re.search(r"resumed at step ([\d,]+)", out)
    begun = int(resumed[1].replace(",", "")) if resumed else 0
    return begun == step or "finished before" in out


def strike(workdir, fields, environment, how, moment):
    """Starts a run and sends it a signal; returns where that was, and its end.

    Args:
      workdir: of the run.
      fields: of its configuration.
      environment: of its process.
      how: number of the signal.
      moment: seconds after its start, the stage at which to send it, or what says of
        the process that it is time.

    Returns:
      The stage; the exit code, both outputs, and the seconds from the signal on.
    """
    process, begun = start(workdir, fields, environment), time.monotonic()
    where = "too late"
    while process.poll() is None:
        now = stage(workdir)
        if callable(moment):
            due = moment(process)
        elif isinstance(moment, float):
            due = time.monotonic() - begun > moment
        else:
            due = now == moment
        if due:
            process.send_signal(how)
            where = now
            break
        time.sleep(0.001)
    struck = time.monotonic()
    return where, (*finish(process), time.monotonic() - struck)


def struck(workdir, fields, environment, how, moments):
    """As `strike`, again and again until the run had not ended before.

    Args:
      workdir: of the run; a run that ended in it is removed.
      fields: of its configuration.
      environment: of its process.
      how: number of the signal.
      moments: when; one is taken for each try.

    Returns:
      The moment, and what `strike` returns.
    """
    for moment in moments:
        where, end = strike(workdir, fields, environment, how, moment)
        if where not in ("too late", "after the result"):
            return moment, where, end
        assert end[0] in (0, -how, 128 + how), end  # in its last moments
        shutil.rmtree(workdir)
    raise AssertionError("each run had ended before it was struck")


def undisturbed(workdir, case, environment):
    """Returns the digests of a run that nobody disturbs, and the seconds it took."""
    fields = fields_of(*case)
    train(workdir, fields, environment)  # compiles; its time is not that of the others
    begun = time.monotonic()
    train(workdir.with_name(f"{workdir.name}_again"), fields, environment)
    return digests(workdir), time.monotonic() - begun


def train(workdir, fields, environment=None):
    """Runs to the end; whatever was there before, it must succeed."""
    code, out, err = finish(start(workdir, fields, environment))
    assert code == 0, out + err
    return out


def digests(workdir):
    """SHA-256 of parameters, statistics, metrics, and of the whole last state."""
    run = RunDirectory(workdir)
    result, prepared = run.result(), prepare(from_json(run.config()))
    abstract = checkpoints.shapes(prepared.abstract, 1)
    tree, host = checkpoints.restore(run.checkpoints, abstract, _complain)
    names = set(result) - {"seconds", "images_per_second"}
    return {
        **{name: json.dumps(result.get(name), sort_keys=True) for name in names},
        "metrics": outcome.metrics_sha256(run.metrics()),
        "state": checkpoints.sha256_of_tree(tree),
        "epochs": [record["epoch"] for record in host["lanes"][0]["records"]],
    }


def _complain(line):
    raise AssertionError(line)
