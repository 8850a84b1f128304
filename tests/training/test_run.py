# SPDX-License-Identifier: Apache-2.0
"""A run's directory: complete, done once, refused to others."""

import json
import shutil

import numpy as np
import pytest

from dropout_jax import data, training
from dropout_jax.config import UserError, canonical
from dropout_jax.nn import sparsity
from dropout_jax.training import load_run, loop, plugin
from dropout_jax.training.prepare import prepare
from dropout_jax.training.run_directory import RunDirectory


def read(result, name):
    return json.loads((result.workdir / name).read_text())


def content(directory):
    return {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_the_directory_is_complete(finished, tiny):
    assert (finished.workdir / "status").read_text() == "done\n"
    assert read(finished, "config.json") == canonical(tiny())
    assert read(finished, "result.json") == finished.values
    assert finished.status == finished.values["status"] == "done"
    assert {p.name for p in finished.workdir.iterdir()} == {
        *(".lock", "config.json", "env.json", "metrics.jsonl", "result.json"),
        *("status", "checkpoints", "tensorboard"),
    }


def test_what_the_result_says(finished):
    values = finished.values
    assert values["parameters"] == 784 * 8 + 8 + 8 * 10 + 10
    assert values["epochs"] == 2 and values["seed"] == 0
    assert values["test_count"] == 128 == sum(values["reliability"]["count"])
    for split in ("test", "validation"):
        assert set(values[split]) == {"accuracy", "nll", "ece", "brier"}
    assert values["images_per_second"] > 0 and values["seconds"] > 0
    assert len(values["parameters_sha256"]) == len(values["metrics_sha256"]) == 64


def test_the_best_validation_epoch_is_kept(finished):
    records = RunDirectory(finished.workdir).metrics()
    accuracies = [record["validation_accuracy"] for record in records]
    best = finished.values["best_epoch"]
    assert accuracies[best - 1] == max(accuracies)
    assert finished.values["validation"]["accuracy"] == max(accuracies)
    assert finished.values["validation"]["nll"] == records[best - 1]["validation_loss"]


def test_metrics_have_a_line_per_epoch(finished):
    records = RunDirectory(finished.workdir).metrics()
    assert [record["epoch"] for record in records] == [1, 2]
    assert [record["step"] for record in records] == [3, 6]
    for record in records:
        assert record["learning_rate"] == pytest.approx(0.01)
        # Averages over the epoch's steps, not sums, and nothing left from before.
        assert 1.0 < record["train_loss"] < 3.5
        assert 0.0 <= record["train_accuracy"] <= 1.0
        assert record["gradient_norm"] > 0
        assert record["noise"] == {}


def test_env_json_says_where(finished):
    (env,) = RunDirectory(finished.workdir).parts()
    assert read(finished, "env.json") == {"format": 2, "parts": [env]}
    assert {"jax", "jaxlib", "flax", "optax", "numpy", "python"} <= set(env["versions"])
    assert env["inputs"]["jax_default_prng_impl"] == env["prng"] == "threefry2x32"
    assert env["inputs"]["jax_threefry_partitionable"] is True
    assert env["inputs"]["jax_enable_x64"] is env["inputs"]["jax_disable_jit"] is False
    assert env["device"]["platform"] == "cpu" and env["threads"] >= 1
    assert (env["workers"], env["lanes"], env["devices"]) == (1, 1, 1)
    assert env["processor"]["model"] and env["processor"]["vector_extensions"]
    dataset = data.load("synthetic")
    assert env["data"]["sha256"] == env["inputs"]["data"] == dataset.sha256
    assert env["data"]["name"] == "synthetic"
    assert set(env["git"]) == {"commit", "modified", "difference_sha256"}


def test_a_finished_run_is_not_done_again(finished, tiny, recorder, monkeypatch):
    monkeypatch.setattr(loop.Loop, "train", lambda self: pytest.fail("trained again"))
    before = content(finished.workdir)
    progress = recorder()
    again = training.run(tiny(), finished.workdir, progress=progress)
    assert not again.fresh and again.values == finished.values
    assert content(finished.workdir) == before
    assert progress.notes[0] == "finished before, nothing to do"


def test_another_configuration_is_refused_by_name(finished, tiny):
    before = content(finished.workdir)
    other = tiny({"seed": 1, "noise.rates": (0.3,)})
    with pytest.raises(UserError, match=r"other settings \(noise.rates, seed\)"):
        training.run(other, finished.workdir)
    fewer = tiny({"train.epochs": 1})
    with pytest.raises(UserError, match=r"other settings \(train.epochs\)"):
        training.run(fewer, finished.workdir)
    assert content(finished.workdir) == before


def test_what_changes_no_number_may_change(finished, tiny, recorder):
    config = tiny({"train.checkpoint_seconds": 3.0})
    assert not training.run(config, finished.workdir, progress=recorder()).fresh


def test_two_processes_in_one_directory_are_refused(tiny, tmp_path):
    holder = RunDirectory(tmp_path / "run")
    assert holder.open(tiny()) is None
    with pytest.raises(UserError, match="in use by another process"):
        RunDirectory(tmp_path / "run").open(tiny())
    holder.close()
    second = RunDirectory(tmp_path / "run")
    assert second.open(tiny()) is None
    second.close()


def test_a_directory_with_other_files_is_refused(tiny, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"other files \(such as thesis.tex\)"):
        training.run(tiny(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_run_is_nobody_elses_to_read(finished):
    assert finished.workdir.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("result.json", {"test": {"accuracy": "all"}}),
        ("result.json", {"status": "pruned", "validation": None}),
        ("env.json", {"parts": [{"step": "first"}]}),
        ("metrics.jsonl", {"noise": 3}),
    ],
)
def test_a_result_of_another_shape_is_found_again(
    finished, tiny, recorder, tmp_path, name, entries
):
    shutil.copytree(finished.workdir, tmp_path / "run")
    path = tmp_path / "run" / name
    whole = path.read_text()
    lines = whole.splitlines() if name == "metrics.jsonl" else [whole]
    path.write_text("".join(json.dumps(json.loads(x) | entries) + "\n" for x in lines))
    result = training.run(tiny(), tmp_path / "run", progress=recorder())
    assert result.fresh and result.values["test"] == finished.values["test"]


def test_what_a_kill_leaves_of_the_first_write_is_no_obstacle(tiny, tmp_path):
    (tmp_path / ".config.json.123.tmp").write_text("{")
    directory = RunDirectory(tmp_path)
    assert directory.open(tiny()) is None
    directory.close()
    assert not list(tmp_path.glob("*.tmp"))


def test_a_directory_that_cannot_be_is_refused(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        training.run(tiny(), tmp_path / "file" / "run")


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"train.batch_size": 97}, "train.batch_size=97"),
        (
            {"data.train_size": 55000, "train.batch_size": 513},
            "batch_size=513: must be at most the number of training images, 512",
        ),
        ({"data.train_size": 513}, "data.train_size=513.*512"),
        (
            {
                "model.name": "cnn",
                "model.channels": (2, 2, 2, 2, 2),
                "model.widths": (),
            },
            "5 blocks.*28x28; use fewer blocks",
        ),
        ({"plugin": "no_such_module"}, "there is no module no_such_module"),
        ({"plugin": "json.nothing"}, "plugin 'json.nothing': cannot be imported"),
    ],
)
def test_what_cannot_run_leaves_no_directory(tiny, tmp_path, fields, message):
    with pytest.raises(UserError, match=message):
        training.run(tiny(fields), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_diverged_run_says_so_and_is_not_tested(tiny, tmp_path, recorder):
    fields = {"optimizer.learning_rate": 10.0, "regularizer.weight_decay": 1e30}
    progress = recorder()
    result = training.run(tiny(fields), tmp_path / "run", progress=progress)
    assert_diverged(result)
    # Noticed in the chunk in which it happened, the second; no epoch was written.
    assert progress.steps == [1] and "in steps 1 to 3" in result.values["reason"]
    assert RunDirectory(tmp_path / "run").metrics() == []
    assert progress.notes[-1].startswith("diverged: the loss or its gradient became")
    again = training.run(tiny(fields), tmp_path / "run", progress=recorder())
    assert not again.fresh and again.status == "diverged"


def assert_diverged(result):
    assert result.status == "diverged"
    assert "test" not in result.values and "validation" not in result.values
    assert (result.workdir / "status").read_text().startswith("diverged\nthe loss")
    assert read(result, "result.json") == result.values


def test_weights_that_burst_in_the_last_step_are_noticed(tiny, tmp_path, recorder):
    """The loss of the only step is fine; what it leaves behind is not."""
    fields = {
        "train.batch_size": 96,
        "train.epochs": 1,
        "regularizer.weight_decay": 1e38,
        "optimizer.learning_rate": 10.0,
    }
    result = training.run(tiny(fields), tmp_path / "run", progress=recorder())
    assert_diverged(result)


def test_a_failure_is_recorded(tiny, tmp_path, recorder, monkeypatch):
    def fail(self, *step):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(recorder, "advance", fail)
    with pytest.raises(RuntimeError):
        training.run(tiny(), tmp_path / "run", progress=recorder())
    status = (tmp_path / "run" / "status").read_text()
    assert status == "failed\nRuntimeError: the disk is full\n"


def test_a_search_leaves_the_test_set_alone(tiny, tmp_path, recorder, monkeypatch):
    monkeypatch.setattr(loop.Loop, "test", lambda self: pytest.fail("tested"))
    result = training.run(tiny(), tmp_path / "run", test=False, progress=recorder())
    assert result.status == "done"
    assert not {"test", "test_count", "reliability"} & set(result.values)


def test_an_untested_run_is_tested_when_asked(tiny, tmp_path, recorder):
    untested = training.run(tiny(), tmp_path / "a", test=False, progress=recorder())
    again = training.run(tiny(), tmp_path / "a", progress=recorder())
    at_once = training.run(tiny(), tmp_path / "b", progress=recorder())
    assert again.fresh and "test" not in untested.values
    for name in ("test", "parameters_sha256", "metrics_sha256"):
        assert again.values[name] == at_once.values[name], name


PLUGIN = """
from dropout_jax import nn, transforms

@nn.register_model("test_run_plugin")
def build(model, noise, classes):
    return nn.MLP(widths=(), classes=classes, noise=noise)

def halve(key, x, rate, *, shared_axes=(), deterministic=False):
    return x / 2

transforms.register(transforms.Transform("test_run_halve", halve, moments=None))
"""


def test_a_plugin_file_brings_model_and_noise(tiny, tmp_path, recorder):
    (tmp_path / "own.py").write_text(PLUGIN)
    fields = {
        "plugin": str(tmp_path / "own.py"),
        "model.name": "test_run_plugin",
        "noise.kind": "test_run_halve",
        "noise.rates": (),
        "noise.input_rate": 0.1,
        "train.epochs": 1,
    }
    result = training.run(tiny(fields), tmp_path / "run", progress=recorder())
    assert result.values["parameters"] == 784 * 10 + 10
    assert load_run(tmp_path / "run").model.noise.kind == "test_run_halve"
    plugin._LOADED.clear()  # as in another process
    with pytest.raises(UserError, match=r"own.py', Python code that would run as you"):
        load_run(tmp_path / "run")
    (tmp_path / "own.py").write_text("")  # its names are known: not once more
    with pytest.raises(
        UserError, match=r"trained with plugin \w{12}.*accept_changes=T"
    ):
        load_run(tmp_path / "run", trust_plugin=True)
    loaded = load_run(tmp_path / "run", trust_plugin=True, accept_changes=True)
    assert loaded.model.noise.kind == "test_run_halve"


def test_a_broken_plugin_is_one_line(tiny, tmp_path):
    (tmp_path / "own.py").write_text("1 / 0")
    config = tiny({"plugin": str(tmp_path / "own.py")})
    for _ in range(2):  # a second try must not take it for loaded
        with pytest.raises(UserError, match=r"own\.py, line 1: ZeroDivisionError"):
            training.run(config, tmp_path / "run")


def test_the_result_of_noisy_weights_says_how_many_are_noise(tiny, tmp_path, recorder):
    fields = {
        "noise.kind": "variational_dense",
        "noise.rates": (),
        "noise.threshold": 1.0,
    }
    result = training.run(tiny(fields), tmp_path / "run", progress=recorder())
    shares = sparsity(load_run(tmp_path / "run").params, threshold=1.0)
    assert (
        result.values["sparsity"] == shares == read(result, "result.json")["sparsity"]
    )
    assert set(shares) == {"dense_0", "logits"}


def test_the_result_of_other_noise_has_no_sparsity(finished):
    assert "sparsity" not in finished.values


def test_a_pruned_run_ends_there_and_stays_so(tiny, recorder, tmp_path, finished):
    seen = []

    def prune(record):
        seen.append(record["epoch"])
        return True

    result = training.run(tiny(), tmp_path / "run", prune=prune, progress=recorder())
    assert result.status == "pruned" and "test" not in result.values
    assert result.values["validation"]["nll"] > 0 and seen == [1]
    again = training.run(tiny(), tmp_path / "run", prune=prune, progress=recorder())
    assert again.values == result.values and not again.fresh and seen == [1]
    # Up to there it was the run that goes on; the last epoch has nothing to prune.
    asked = []
    whole = training.run(
        tiny(),
        tmp_path / "whole",
        prune=lambda record: bool(asked.append(record["epoch"])),
        progress=recorder(),
    )
    assert asked == [1] and whole.status == "done"
    sums = [r.values["parameters_sha256"] for r in (whole, finished)]
    assert sums[0] == sums[1]


def test_data_are_loaded_once_until_they_change(tiny, tmp_path, monkeypatch):
    loaded, load = [], data.load
    monkeypatch.setattr(data, "load", lambda *a, **k: loaded.append(a) or load(*a, **k))
    path, made = tmp_path / "own.npz", data.load("synthetic")
    arrays = {name: getattr(made, name) for name in made._fields[:6]}
    np.savez(path, **arrays)
    loaded.clear()
    config = tiny({"data.name": str(path)})
    first = prepare(config).dataset
    assert prepare(config).dataset is first and len(loaded) == 1
    np.savez(path, **(arrays | {"train_images": 255 - arrays["train_images"]}))
    assert not np.array_equal(prepare(config).dataset.train_images, first.train_images)
