# SPDX-License-Identifier: Apache-2.0
"""NaN or infinity at a chosen step, in the loss or in its gradient alone."""

import json

import numpy as np
import pytest

import runs
from dropout_jax import training
from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.training import load_run, loop
from dropout_jax.training.run_directory import RunDirectory

# Noise whose rate is 0 up to a step (schedule `late`); from there on it poisons.
PLUGIN = """
import jax, jax.numpy as jnp
from dropout_jax import transforms
from dropout_jax.transforms import Example, Transform, register

BAD = {"nan": jnp.nan, "inf": jnp.inf}["%(bad)s"]

@jax.custom_vjp
def backward(x, rate):
    return x

def forward(x, rate):
    return x, rate

def poison(rate, gradient):
    return gradient * jnp.where(rate > 0, BAD, 1.0), jnp.zeros_like(rate)

backward.defvjp(forward, poison)

def apply(key, x, rate, *, shared_axes=(), deterministic=False):
    if deterministic:
        return x
    if "%(where)s" == "gradient":
        return backward(x, rate)
    return x * jnp.where(rate > 0, BAD, 1.0)

def moments(x, rate, *, shared_axes=()):
    return transforms.dropout_moments(x, rate)

register(Transform(
    name="%(where)s_%(bad)s", apply=apply, moments=moments, summary="", reference="",
    examples=(Example((0.5,)),),
))
"""
STEPS = 6  # per epoch
EPOCHS = 4


@pytest.fixture
def config(tmp_path):
    """Returns a function of what is poisoned, with what, from which step on."""

    def make(where, bad, step, seed=0, rate=0.5):
        plugin = tmp_path / f"poison_{where}_{bad}.py"
        plugin.write_text(PLUGIN % {"bad": bad, "where": where})
        fields = {
            "data.name": "synthetic",
            "data.train_size": 32 * STEPS,
            "model.widths": (8,),
            "plugin": str(plugin),
            "noise.kind": f"{where}_{bad}",
            "noise.rates": (rate,),
            "noise.schedule": "late",
            "noise.schedule_epochs": step / STEPS,
            "train.epochs": EPOCHS,
            "train.batch_size": 32,
            "train.checkpoint_seconds": 0.0,
            "seed": seed,
        }
        return override(defaults(), fields)

    return make


class Recorder(training.TerminalProgress):
    """Remembers the steps that were shown."""

    def __init__(self):
        super().__init__()
        self.steps = [0]

    def advance(self, step, *speed):
        self.steps.append(step)

    def note(self, message):
        pass


def finite(run):
    loaded = load_run(run)
    return all(np.isfinite(leaf).all() for leaf in leaves(loaded.params))


def leaves(tree):
    return (
        [leaf for v in tree.values() for leaf in leaves(v)]
        if hasattr(tree, "values")
        else [tree]
    )


def test_poison_is_found_within_a_chunk(tmp_path, config, monkeypatch, amount, figure):
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)  # chunks of two steps
    cases = [
        (where, bad, step)
        for where in ("loss", "gradient")
        for bad in ("nan", "inf")
        for step in amount((2, 17), (1, 2, 8, 17, 23))
    ]
    right = 0
    for number, (where, bad, step) in enumerate(cases):
        workdir, progress = tmp_path / f"run_{number}", Recorder()
        result = training.run(config(where, bad, step), workdir, progress=progress)
        seen = progress.steps[-1]  # the last chunk that was fine
        kept = runs.kept(workdir) == seen and (not seen or finite(workdir))
        right += result.status == "diverged" and step - 2 <= seen <= step and kept
    # In a group: the neighbours have the bits that they have alone.
    configs = [
        config("gradient", "nan", 8, seed=seed, rate=rate)
        for seed, rate in enumerate((0.0, 0.5, 0.0))
    ]
    places = [tmp_path / f"lane_{number}" for number in range(3)]
    group = training.run_group(configs, places, tmp_path / "group", progress=Recorder())
    lone = [
        training.run(one, tmp_path / f"alone_{number}", progress=Recorder())
        for number, one in enumerate(configs)
    ]
    same = [
        all(
            a.values[k] == b.values[k]
            for k in ("parameters_sha256", "metrics_sha256", "test")
        )
        for a, b in zip(group, lone, strict=True)
        if a.status == b.status == "done"
    ]
    statuses = [result.status for result in group]
    figure(
        10,
        "loss or gradient NaN or infinite from a chosen step on: found within a chunk, "
        "`diverged`, the last finite checkpoint kept; in a group the neighbours' bits "
        "untouched",
        "all",
        f"{right}/{len(cases)} runs; group of 3: {', '.join(statuses)}, "
        f"{same.count(True)}/2 neighbours as alone",
    )
    assert right == len(cases)
    assert statuses == ["done", "diverged", "done"] and same == [True, True]
    assert lone[1].status == "diverged"
    assert json.loads((places[1] / "result.json").read_text())["reason"]
    assert RunDirectory(places[1]).metrics()[-1]["epoch"] == 1
