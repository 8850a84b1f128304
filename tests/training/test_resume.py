# SPDX-License-Identifier: Apache-2.0
"""Stopped anywhere, killed, damaged, extended: the same numbers to the last bit."""

import json
import shutil
import signal
import subprocess
import sys
import types
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from dropout_jax import training
from dropout_jax.config import Interrupted, UserError
from dropout_jax.stored import Damaged
from dropout_jax.training import load_run, loop
from dropout_jax.training.checkpoints import restore, save
from dropout_jax.training.run_directory import RunDirectory

ROOT = Path(__file__).parents[2]
DIGESTS = ("parameters_sha256", "metrics_sha256")
SAME = (*DIGESTS, "test", "validation", "best_epoch", "sets")


def digests(values):
    return {name: values[name] for name in SAME}


def checkpoints(workdir):
    return sorted(int(p.name) for p in (workdir / "checkpoints").iterdir())


def flip_a_byte(workdir, step):
    files = (workdir / "checkpoints" / str(step)).rglob("*")
    path = max((p for p in files if p.is_file()), key=lambda p: p.stat().st_size)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def interrupt(config, workdir, recorder, step):
    progress = recorder(stop_after=(step,))
    with pytest.raises(Interrupted) as stop:
        training.run(config, workdir, progress=progress)
    assert (stop.value.workdir, stop.value.exit_code) == (workdir, 130)
    assert progress.steps[-1] == step
    assert (workdir / "status").read_text() == "running\n"
    return progress


def test_interrupted_twice_and_resumed(
    finished, tiny, tmp_path, recorder, monkeypatch, events
):
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)  # chunks of two steps
    workdir, handler = tmp_path / "run", signal.getsignal(signal.SIGINT)
    interrupt(tiny(), workdir, recorder, 1)  # in the first epoch
    assert checkpoints(workdir) == [1]
    progress = interrupt(tiny(), workdir, recorder, 5)  # in the second
    assert progress.notes[0] == "resumed at step 1"
    progress = recorder()
    result = training.run(tiny(), workdir, progress=progress)
    assert progress.notes[0] == "resumed at step 5" and progress.steps == [6]
    assert digests(result.values) == digests(finished.values)
    assert checkpoints(workdir) == [5, 6]
    epochs = {step for tag, step, _ in events(workdir / "tensorboard")}
    assert epochs - {0} == {3, 6}  # the epoch before the interruption as well
    assert signal.getsignal(signal.SIGINT) is handler


def test_killed_long_after_its_checkpoint(
    finished, tiny, tmp_path, recorder, monkeypatch
):
    """An epoch's line was written that the checkpoint knows nothing of."""

    class Killed(recorder):
        def advance(self, step, *speed):
            if step == 5:
                raise RuntimeError("as good as a kill")

    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    workdir = tmp_path / "run"
    interrupt(tiny(), workdir, recorder, 1)
    with pytest.raises(RuntimeError):
        training.run(tiny(), workdir, progress=Killed())
    assert checkpoints(workdir) == [1] and len(RunDirectory(workdir).metrics()) == 1
    result = training.run(tiny(), workdir, progress=recorder())
    assert digests(result.values) == digests(finished.values)


def test_length_of_chunks_and_checkpoints_change_no_bit(
    finished, tiny, tmp_path, recorder, monkeypatch
):
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    progress = recorder()
    config = tiny({"train.checkpoint_seconds": 0.0})
    result = training.run(config, tmp_path / "run", progress=progress)
    assert progress.steps == [1, 3, 5, 6]
    assert digests(result.values) == digests(finished.values)
    other = training.run(tiny({"seed": 1}), tmp_path / "other", progress=recorder())
    for name in DIGESTS:
        assert other.values[name] != finished.values[name]


def test_a_fresh_process_computes_the_same(finished, tmp_path, quick_environment):
    """Another process, another hash seed, another directory: the same digests."""
    program = (
        "import json, sys; from dropout_jax.training import portable;"
        "portable.enable(); from dropout_jax import training;"
        "from dropout_jax.config import from_json;"
        "config = from_json(json.load(open(sys.argv[1])));"
        "training.run(config, sys.argv[2])"
    )
    environment = {
        **quick_environment,
        "PYTHONHASHSEED": "17",
        "PYTHONPATH": str(ROOT),
    }
    config, workdir = finished.workdir / "config.json", tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", program, str(config), str(workdir)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    values = json.loads((workdir / "result.json").read_text())
    assert digests(values) == digests(finished.values)


def test_ctrl_c_too_late_for_the_run_still_ends_the_study(
    finished, tiny, tmp_path, recorder
):
    progress = recorder(stop_after=(6,))
    with pytest.raises(Interrupted):
        training.run(tiny(), tmp_path / "run", progress=progress)
    again = training.run(tiny(), tmp_path / "run", progress=recorder())
    assert not again.fresh and digests(again.values) == digests(finished.values)


@pytest.fixture
def stopped(tiny, tmp_path, recorder, monkeypatch):
    """A run stopped after step 4, with checkpoints of steps 3 and 4."""
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    for step in (3, 4):
        interrupt(tiny(), tmp_path / "run", recorder, step)
    assert checkpoints(tmp_path / "run") == [3, 4]
    return tmp_path / "run"


def test_a_damaged_checkpoint_is_passed_over(finished, stopped, tiny, recorder):
    flip_a_byte(stopped, 4)
    progress = recorder(stop_after=(4,))
    with pytest.raises(Interrupted):
        training.run(tiny(), stopped, progress=progress)
    assert "4 is passed over" in progress.notes[0] and "SHA-256" in progress.notes[0]
    assert progress.notes[1] == "resumed at step 3"
    # Step 4 was saved anew: the damaged one did not stand in its way.
    progress = recorder()
    result = training.run(tiny(), stopped, progress=progress)
    assert progress.notes[0] == "resumed at step 4"
    assert digests(result.values) == digests(finished.values)


def test_a_manifest_with_another_digit_is_passed_over(stopped, tiny, recorder):
    """Metrics live in it: valid JSON, all arrays whole, and yet not what was saved."""
    path = stopped / "checkpoints" / "4" / "MANIFEST.json"
    text = path.read_text()
    path.write_text(text.replace('"epoch": 1', '"epoch": 2'))
    assert path.read_text() != text
    progress = recorder(stop_after=(4,))
    with pytest.raises(Interrupted):
        training.run(tiny(), stopped, progress=progress)
    assert "4 is passed over" in progress.notes[0]
    assert progress.notes[1] == "resumed at step 3"


def files_of(directory):
    return {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_with_all_checkpoints_damaged_nothing_is_touched(stopped, tiny, recorder):
    """Whoever has a copy of them can put it back."""
    for step in (3, 4):
        flip_a_byte(stopped, step)
    before, progress = files_of(stopped), recorder()
    with pytest.raises(Damaged, match=r"no checkpoint in .* is whole.*remove") as error:
        training.run(tiny(), stopped, progress=progress)
    assert "\n" not in str(error.value)
    assert ["passed over" in note for note in progress.notes] == [True, True]
    assert files_of(stopped) == before


def test_arrays_of_another_type_are_refused(tmp_path):
    """Orbax would cast them."""
    saved = tmp_path / "checkpoints"
    save(saved, 1, {"a": jnp.arange(3)}, {})
    wanted = {"a": jax.ShapeDtypeStruct((3,), jnp.int32)}
    tree, _ = restore(saved, lambda host: wanted, print)
    assert tree["a"].tolist() == [0, 1, 2]
    other = {"a": jax.ShapeDtypeStruct((3,), jnp.float32)}
    with pytest.raises(Damaged, match="the arrays of another program") as error:
        restore(saved, lambda host: other, print)
    assert "are whole" in str(error.value)  # so that nobody throws them away
    assert "remove" not in str(error.value)


def test_no_checkpoint_is_begun_without_room(tmp_path, monkeypatch):
    """Orbax would end in tracebacks, and its threads write on."""
    full = types.SimpleNamespace(free=70_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: full)
    saved = tmp_path / "checkpoints"
    with pytest.raises(UserError, match=r"/1 cannot .* takes 71,\d+ bytes, 70,000 are"):
        save(saved, 1, {"a": jnp.zeros(1000)}, {})
    assert not list(saved.iterdir())
    full.free = 72_000
    save(saved, 1, {"a": jnp.zeros(1000)}, {})
    assert [path.name for path in saved.iterdir()] == ["1"]


def test_metrics_are_what_the_checkpoint_knows(finished, stopped, tiny, recorder):
    path = stopped / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    result = training.run(tiny(), stopped, progress=recorder())
    assert digests(result.values) == digests(finished.values)
    assert [r["epoch"] for r in RunDirectory(stopped).metrics()] == [1, 2]


@pytest.mark.parametrize("name", ["metrics.jsonl", "result.json", "env.json"])
def test_a_finished_run_mends_what_it_wrote(name, finished, tiny, tmp_path, recorder):
    """From its last checkpoint, without a step."""
    workdir = tmp_path / "run"
    shutil.copytree(finished.workdir, workdir)
    whole = (workdir / name).read_bytes()
    (workdir / name).write_bytes(whole[: len(whole) // 2])
    progress = recorder()
    result = training.run(tiny(), workdir, progress=progress)
    assert progress.steps == [] and "resumed at step 6" in progress.notes
    assert digests(result.values) == digests(finished.values)
    if name == "metrics.jsonl":  # the others have times and places of this run
        assert (workdir / name).read_bytes() == whole
    again = training.run(tiny(), workdir, progress=recorder())
    assert not again.fresh and again.values == result.values


def test_an_unfinished_checkpoint_is_passed_over(finished, stopped, tiny, recorder):
    (stopped / "checkpoints" / "4" / "MANIFEST.json").unlink()
    left = stopped / "checkpoints" / "5.orbax-checkpoint-tmp-9"
    left.mkdir()
    load_run_notes = pytest.warns(UserWarning, match="4 is passed over.*never finished")
    with load_run_notes:
        load_run(stopped)
    assert left.exists()  # a reader deletes nothing: the run may be at work
    progress = recorder()
    result = training.run(tiny(), stopped, progress=progress)
    assert "never finished" in progress.notes[0] and not left.exists()
    assert digests(result.values) == digests(finished.values)


def test_a_finished_run_never_loads_other_parameters(tiny, tmp_path, recorder):
    config = tiny({"train.checkpoint_seconds": 0.0, "train.keep": "last"})
    workdir = training.run(config, tmp_path / "run", progress=recorder()).workdir
    flip_a_byte(workdir, 6)
    with (
        pytest.warns(UserWarning, match="6 is passed over"),
        pytest.raises(UserError, match="tested parameters is damaged"),
    ):
        load_run(workdir)
    flip_a_byte(workdir, 3)
    with (
        pytest.warns(UserWarning, match="passed over"),
        pytest.raises(UserError, match=r"no checkpoint in .* is whole"),
    ):
        load_run(workdir)


def test_more_epochs_extend_a_run_of_constant_schedule(
    finished, tiny, tmp_path, recorder
):
    long = tiny({"train.epochs": 3})
    whole = training.run(long, tmp_path / "whole", progress=recorder())
    workdir = tmp_path / "run"
    training.run(tiny(), workdir, progress=recorder())
    progress = recorder(stop_after=(7,))
    with pytest.raises(Interrupted):
        training.run(long, workdir, progress=progress)
    assert progress.notes[0] == "resumed at step 6"
    result = training.run(long, workdir, progress=recorder())
    assert digests(result.values) == digests(whole.values)
    assert result.values["epochs"] == 3
    assert len(RunDirectory(workdir).metrics()) == 3
    assert whole.values["metrics_sha256"] != finished.values["metrics_sha256"]


def test_a_killed_extension_does_not_show_the_old_result(tiny, tmp_path, recorder):
    workdir, long = tmp_path / "run", tiny({"train.epochs": 3})
    training.run(tiny(), workdir, progress=recorder())
    directory = RunDirectory(workdir)
    assert directory.open(long) is None
    directory.close()  # killed before the first chunk
    directory = RunDirectory(workdir)
    assert directory.open(long) is None
    directory.close()


def test_a_cosine_schedule_cannot_be_extended(tiny, tmp_path, recorder):
    fields = {"optimizer.schedule": "cosine", "train.epochs": 1}
    directory = RunDirectory(tmp_path / "run")
    assert directory.open(tiny(fields)) is None
    directory.close()
    with pytest.raises(UserError, match=r"train.epochs=2 cannot extend.*cosine.*1 ep"):
        directory.open(tiny({**fields, "train.epochs": 2}))
