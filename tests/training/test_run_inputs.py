# SPDX-License-Identifier: Apache-2.0
"""A run whose data, plugin or settings change: refused, or said to be mixed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from dropout_jax import load_run, training
from dropout_jax.config.errors import Interrupted, UserError
from dropout_jax.training import environment, loop, plugin, settings
from dropout_jax.training.run_directory import RunDirectory

ROOT = Path(__file__).parents[2]
FLAGS = {
    "train.epochs": "2",
    "model.widths": "(8,)",
    "train.batch_size": "32",
    "optimizer.schedule": "constant",
}


def write_data(path, shift=0):
    """Made-up images in three classes; `shift` gives them other labels."""
    random, arrays = np.random.default_rng(0), {}
    for split, count in (("train", 96), ("validation", 32), ("test", 32)):
        labels = np.arange(count) % 3
        images = random.integers(0, 60, (count, 6, 6))
        for image, label in zip(images, labels, strict=True):
            image[2 * label : 2 * label + 2] += 100
        arrays[f"{split}_images"] = images.astype(np.uint8)
        arrays[f"{split}_labels"] = ((labels + shift) % 3).astype(np.uint8)
    np.savez(path, **arrays)


@pytest.fixture
def own(tmp_path, tiny):
    """A configuration on data of its own, and the path of these."""
    path = tmp_path / "own.npz"
    write_data(path)
    return tiny({"data.name": str(path), "data.train_size": 55000}), path


@pytest.fixture
def stopped(own, tmp_path, recorder):
    """A run that was interrupted at step 3 of 6."""
    config, _ = own
    with pytest.raises(Interrupted):
        training.run(config, tmp_path / "run", progress=recorder(stop_after=[3]))
    return tmp_path / "run"


def content(directory):
    return {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def told(directory):
    return json.loads((directory / "result.json").read_text())["inputs"]


def test_an_interrupted_run_whose_data_changed(own, stopped, recorder):
    config, path = own
    before, first = content(stopped), RunDirectory(stopped).parts()
    write_data(path, shift=1)
    names_both = r"with data \w{12}\.\.\., and this process has data \w{12}\.\.\.: rest"
    with pytest.raises(UserError, match=names_both):
        training.run(config, stopped, progress=recorder())
    assert content(stopped) == before
    progress = recorder()
    result = training.run(config, stopped, progress=progress, accept_changes=True)
    old, new = RunDirectory(stopped).parts()  # nothing is overwritten
    assert [old] == first and new["step"] == 3
    assert old["data"]["sha256"] != new["data"]["sha256"]
    assert [s["step"] for s in told(stopped)] == [0, 3]
    assert result.values["inputs"] == told(stopped)
    assert any(n.startswith("accepted: computed with data") for n in progress.notes)
    assert any(n.startswith("it mixes data") for n in progress.notes)
    # The same again: as it was accepted.
    assert not training.run(config, stopped, progress=recorder()).fresh


def test_a_finished_run_whose_data_changed(own, tmp_path, recorder):
    config, path = own
    training.run(config, tmp_path / "run", progress=recorder())
    before = content(tmp_path / "run")
    write_data(path, shift=1)
    with pytest.raises(UserError, match="was computed with data"):
        training.run(config, tmp_path / "run", progress=recorder())
    write_data(path)  # the same bytes once more
    assert not training.run(config, tmp_path / "run", progress=recorder()).fresh
    assert content(tmp_path / "run") == before


def test_a_run_that_saved_nothing_is_not_compared(own, tmp_path, recorder, monkeypatch):
    """As one that failed by a mistake in a plugin, which is mended then."""
    config, path = own
    with monkeypatch.context() as patch:
        patch.setattr(loop.Loop, "_next_chunk", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            training.run(config, tmp_path / "run", progress=recorder())
    write_data(path, shift=1)
    training.run(config, tmp_path / "run", progress=recorder())
    assert len(told(tmp_path / "run")) == 1  # nothing of the first try is left
    assert len(RunDirectory(tmp_path / "run").parts()) == 2


def test_a_group_whose_data_changed(own, tmp_path, recorder):
    config, path = own
    other = config.copy_and_resolve_references()
    other.seed = 1
    places = [tmp_path / "a", tmp_path / "b"]
    group = tmp_path / "group"
    with pytest.raises(Interrupted):
        training.run_group(
            [config, other], places, group, progress=recorder(stop_after=[3])
        )
    write_data(path, shift=1)
    before = content(tmp_path)
    with pytest.raises(UserError, match="was computed with data"):
        training.run_group([config, other], places, group, progress=recorder())
    assert content(tmp_path) == before


def test_a_changed_plugin_is_refused_before_it_runs(tiny, tmp_path, recorder):
    path, helper = tmp_path / "plug.py", tmp_path / "test_inputs_helper.py"
    path.write_text("def late():\n    import test_inputs_helper\n")
    helper.write_text("x = 1\n")
    config = tiny({"plugin": str(path)})
    training.run(config, tmp_path / "run", progress=recorder())
    helper.write_text("x = 2\n")
    plugin._LOADED.clear()  # as in another process
    with pytest.raises(UserError, match=r"with plugin \w{12}.*has plugin \w{12}"):
        training.run(config, tmp_path / "run", progress=recorder())
    assert not plugin._LOADED
    with pytest.raises(UserError, match="was trained with plugin"):
        load_run(tmp_path / "run", trust_plugin=True)


def test_parts_by_threads_are_kept_and_said(own, stopped, recorder, monkeypatch):
    config, _ = own
    (first,) = RunDirectory(stopped).parts()
    monkeypatch.setattr(environment, "_threads", lambda: 99)
    progress = recorder()
    training.run(config, stopped, progress=progress)
    now = RunDirectory(stopped).parts()
    assert now[0] == first and now[1] == {**first, "step": 3, "threads": 99}
    assert len(told(stopped)) == 1  # no mixture
    assert f"threads {first['threads']}, now 99: numbers may differ by rounding" in (
        progress.notes
    )


def test_the_settings_of_this_thread_count():
    assert settings.numbers()["jax_enable_x64"] is False
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        found = settings.numbers()
    assert found["jax_enable_x64"] is True
    assert found["jax_default_matmul_precision"] == "highest"


def test_flags_of_xla_that_change_numbers_are_told_from_the_others(monkeypatch):
    flags = "--xla_cpu_enable_fast_math --xla_dump_to=a --xla_cpu_use_onednn=false"
    monkeypatch.setenv("XLA_FLAGS", f"{flags} --xla_allow_excess_precision=1")
    assert settings.numbers()["XLA_FLAGS"] == "--xla_cpu_enable_fast_math=true"
    assert settings.rounding()["XLA_FLAGS"] == "--xla_cpu_use_onednn=false"


@pytest.fixture(scope="module")
def begun(tmp_path_factory, quick_environment):
    """The work directory of a run by train.py, finished."""
    workdir = tmp_path_factory.mktemp("begun") / "run"
    assert command(workdir, quick_environment).returncode == 0
    return workdir


def command(workdir, environment, *flags, **variables):
    return subprocess.run(
        [
            *(sys.executable, "train.py", f"--workdir={workdir}"),
            "--config=configs/smoke.py",
            *(f"--config.{name}={value}" for name, value in FLAGS.items()),
            *flags,
        ],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    "variable, value, name, before, now",
    [
        ("JAX_ENABLE_X64", "1", "", "False", "True"),
        ("JAX_THREEFRY_PARTITIONABLE", "0", "", "True", "False"),
        ("JAX_DISABLE_JIT", "1", "", "False", "True"),
        ("JAX_DEFAULT_PRNG_IMPL", "rbg", "", "threefry2x32", "rbg"),
        ("JAX_RANDOM_SEED_OFFSET", "3", "", "0", "3"),
        ("JAX_DEFAULT_MATMUL_PRECISION", "float32", "", "None", "float32"),
        ("NVIDIA_TF32_OVERRIDE", "0", "NVIDIA_TF32_OVERRIDE", "", "0"),
    ],
)
def test_a_setting_that_changes_numbers_is_refused_by_name(
    begun, quick_environment, variable, value, name, before, now
):
    """The right cause, before any checkpoint is tried, and nothing is touched."""
    name = name or variable.lower()
    saved = content(begun)
    # Extended, so that there is something left to compute.
    done = command(
        begun, quick_environment, "--config.train.epochs=3", **{variable: value}
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert f"computed with {name}={before}, and this process has {name}={now}" in (
        done.stderr
    )
    assert "remove" not in done.stderr and variable in done.stderr
    assert content(begun) == saved


def test_another_precision_cannot_be_accepted(finished, tiny, recorder):
    message = "with jax_enable_x64=False, and this process has jax_enable_x64=True"
    with jax.enable_x64(True):
        with pytest.raises(UserError, match=message) as error:
            training.run(
                tiny(), finished.workdir, progress=recorder(), accept_changes=True
            )
        assert "accept" not in str(error.value) and "remove" not in str(error.value)
        with pytest.raises(UserError, match=message):
            load_run(finished.workdir, accept_changes=True)
    assert load_run(finished.workdir).result == finished.values


def test_accepted_on_the_command_line(begun, tmp_path, quick_environment):
    shutil.copytree(begun, tmp_path / "run")
    flags = ("--config.train.epochs=3", "--accept_changes")
    done = command(
        tmp_path / "run", quick_environment, *flags, JAX_THREEFRY_PARTITIONABLE="0"
    )
    assert done.returncode == 0, done.stderr
    first, second = RunDirectory(tmp_path / "run").parts()
    assert first["inputs"]["jax_threefry_partitionable"] is True
    assert second["inputs"]["jax_threefry_partitionable"] is False
    mixed = (
        "it mixes jax_threefry_partitionable=True before step "
        f"{second['step']}, jax_threefry_partitionable=False from there"
    )
    assert mixed in " ".join(done.stdout.split())
