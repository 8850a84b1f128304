# SPDX-License-Identifier: Apache-2.0
"""Runs with batch normalisation: statistics, the epoch that is kept, resuming."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import data, training
from dropout_jax.config import Interrupted
from dropout_jax.config.errors import UserError
from dropout_jax.evaluation import metrics
from dropout_jax.training import checkpoints, load_run, loop
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.programs import build_programs
from dropout_jax.training.run_directory import RunDirectory

SIDE, CLASSES, COUNT, STEPS_PER_EPOCH = 4, 10, 6, 3
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE), np.uint8)
LABELS = np.arange(COUNT, dtype=np.int32)
MEAN, VARIANCE = np.array([-0.3, 0.6], "f4"), np.array([0.5, 2.0], "f4")
DIGESTS = ("parameters_sha256", "model_state_sha256")
SAME = (*DIGESTS, "metrics_sha256", "validation", "test", "best_epoch", "sets")
FIELDS = {
    "model.name": "cnn",
    "model.channels": (2,),
    "model.kernel_size": 1,
    "model.batch_norm": True,
    "model.widths": (),
    # So fast that the third epoch is worse than the second.
    "optimizer.learning_rate": 0.1,
    "train.epochs": 3,
    "seed": 2,
}


@pytest.fixture(scope="module")
def small(tiny, random_state):
    """Programs, hparams and a state whose statistics are not those of any batch."""
    config = tiny({**FIELDS, "train.batch_size": COUNT})
    programs = build_programs(config, (SIDE, SIDE), CLASSES, COUNT)
    hparams = traced(config, programs.model.sites)
    statistics = {"mean": jnp.asarray(MEAN), "var": jnp.asarray(VARIANCE)}
    state = random_state(programs, hparams)._replace(
        model_state={"batch_stats": {"batch_norm_0_0": statistics}}
    )
    return programs, hparams, state


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory, recorder):
    """Returns a function from `train.keep` to an uninterrupted run and its digests.

    The digests, by step, are of the statistics as well as of the parameters.
    """
    known = {}

    def make(keep):
        if keep in known:
            return known[keep]
        digests, save = {}, checkpoints.save

        def spy(directory, step, tree, host):
            state = tree["state"]
            digests[step] = digest(state.params, state.model_state)
            save(directory, step, tree, host)

        config = tiny({**FIELDS, "train.keep": keep, "train.checkpoint_seconds": 0.0})
        workdir = tmp_path_factory.mktemp("batch_norm") / "run"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(checkpoints, "save", spy)
            result = training.run(config, workdir, progress=recorder())
        known[keep] = result, digests
        return known[keep]

    return make


def digest(params, model_state):
    return tuple(map(checkpoints.sha256_of_tree, (params, model_state)))


def pooled(params):
    """What the normalisation reads: a kernel of one pixel, then the 2x2 maximum."""
    kernel = np.float64(params["conv_0_0"]["kernel"]).reshape(-1)
    maps = IMAGES[..., None] / 255.0 * kernel[None, None, None]
    half = SIDE // 2
    return maps.reshape(COUNT, half, 2, half, 2, -1).max((2, 4))


def test_a_step_moves_the_statistics_a_tenth_of_the_way(small):
    programs, hparams, state = small
    x = pooled(state.params)
    # The only batch is the whole training set, whatever its order.
    seed, data = np.uint32(0), (IMAGES, LABELS)
    order, state = programs.order(seed, 0), jax.tree.map(jnp.copy, state)
    end = programs.run_chunk(state, hparams, seed, data, order, 1)
    found = end.model_state["batch_stats"]["batch_norm_0_0"]
    mean = 0.9 * MEAN + 0.1 * x.mean((0, 1, 2))
    variance = 0.9 * VARIANCE + 0.1 * x.var((0, 1, 2))
    np.testing.assert_allclose(found["mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(found["var"], variance, rtol=1e-5)


def test_prediction_uses_the_running_statistics(small):
    programs, hparams, state = small
    params, norm = state.params, state.params["batch_norm_0_0"]
    x = (pooled(params) - MEAN) / np.sqrt(VARIANCE + 1e-5)
    x = np.maximum(x * np.asarray(norm["scale"]) + np.asarray(norm["bias"]), 0.0)
    expected = x.reshape(COUNT, -1) @ np.float64(params["logits"]["kernel"])
    expected = expected + np.float64(params["logits"]["bias"])[None]
    logits = programs.predict(params, state.model_state, IMAGES, hparams)
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_passes_under_noise_that_update_nothing_use_them_too(small):
    programs, hparams, state = small
    model, rates = programs.model, jnp.zeros_like(hparams.rates)
    variables = {"params": state.params, **state.model_state}
    keys = {"dropout": jax.random.key(0)}
    found = model.apply(variables, IMAGES / 255.0, rates, train=True, rngs=keys)
    expected = programs.predict(state.params, state.model_state, IMAGES, hparams)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    updating = {"train": True, "rngs": keys, "mutable": ["batch_stats"]}
    other, _ = model.apply(variables, IMAGES / 255.0, rates, **updating)
    assert not np.allclose(other, expected, atol=1e-2)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_parameters_and_statistics_of_the_right_epoch_are_kept(whole, keep):
    result, digests = whole(keep)
    accuracies = [
        record["validation_accuracy"]
        for record in RunDirectory(result.workdir).metrics()
    ]
    best, last = int(np.argmax(accuracies)) + 1, len(accuracies)
    assert best < last and accuracies[best - 1] > accuracies[-1]
    epoch = {"best": best, "last": last}[keep]
    values, run = result.values, load_run(result.workdir)
    assert values["best_epoch"] == epoch
    assert values["validation"]["accuracy"] == accuracies[epoch - 1]
    kept = digests[epoch * STEPS_PER_EPOCH]
    assert kept == tuple(values[name] for name in DIGESTS)
    assert kept == digest(run.params, run.model_state)
    other = digests[{"best": last, "last": best}[keep] * STEPS_PER_EPOCH]
    for ours, theirs in zip(kept, other, strict=True):
        assert ours != theirs


def test_a_loaded_run_predicts_what_was_validated_and_tested(whole):
    result, _ = whole("best")
    run, dataset = load_run(result.workdir), data.load("synthetic")
    for split in ("validation", "test"):
        images = getattr(dataset, f"{split}_images")
        labels = jnp.asarray(getattr(dataset, f"{split}_labels"), jnp.int32)
        found = metrics.summary(run.predict(images), labels)
        wanted = result.values[split]
        # The metrics are in a program of their own here: the last bit may differ.
        found = {name: float(value) for name, value in found.items()}
        assert found == pytest.approx(wanted, rel=1e-6)


def test_interrupted_and_resumed_to_the_same_bits(
    whole, tiny, tmp_path, recorder, monkeypatch
):
    expected, digests = whole("best")
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)  # chunks of two steps
    config = tiny(FIELDS)
    with pytest.raises(Interrupted):
        training.run(config, tmp_path / "run", progress=recorder(stop_after=(5,)))
    progress = recorder()
    result = training.run(config, tmp_path / "run", progress=progress)
    assert progress.notes[0] == "resumed at step 5"
    for name in SAME:
        assert result.values[name] == expected.values[name], name
    run = load_run(tmp_path / "run")
    epoch = expected.values["best_epoch"]
    assert digest(run.params, run.model_state) == digests[epoch * STEPS_PER_EPOCH]
    # Other statistics than those that were tested are never loaded.
    other = {**result.values, "model_state_sha256": "0" * 64}
    RunDirectory(tmp_path / "run").write_result(other)
    with pytest.raises(UserError, match="tested parameters is damaged"):
        load_run(tmp_path / "run")
