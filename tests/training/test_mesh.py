# SPDX-License-Identifier: Apache-2.0
"""One run on four devices: the same masks, the same losses up to rounding."""

import json
import os
import subprocess
import sys

import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.training.mesh import batch_mesh

FLAG = "--xla_force_host_platform_device_count"

LOSSES = """
import json, sys
import jax, jax.numpy as jnp, numpy as np
from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.training.hyperparameters import traced
from dropout_jax.training.programs import build_programs

rng = np.random.default_rng(0)
images = rng.integers(0, 256, (640, 28, 28), np.uint8)
labels = rng.integers(0, 10, 640).astype(np.int32)
fields = {"mlp": {"model.widths": (32, 32)}, "rnn": {"model.widths": (16,)},
          "cnn": {"model.widths": (16,), "model.channels": (4, 4)}}
found = {}
if sys.argv[1] == "planted":
    del fields["rnn"], fields["cnn"]
for name, model in fields.items():
    for devices in (1, 4):
        config = override(defaults(), {
            "model.name": name, **model, "noise.kind": "dropout",
            "noise.rates": (0.5,), "train.batch_size": 32, "train.devices": devices})
        programs = build_programs(config, (28, 28), 10, 640)
        hparams, seed = traced(config, programs.model.sites), jnp.uint32(0)
        state, data = programs.init(hparams, seed), (images, labels)
        order = programs.order(seed, 0)
        if sys.argv[1] == "planted" and devices == 4:
            seed = jnp.uint32(1)  # other masks
        state, hparams, seed, data, order = programs.place(
            (state, hparams, seed, tuple(map(jnp.asarray, data)), order))
        losses = [0.0]
        for stop in range(1, 21):
            state = programs.run_chunk(state, hparams, seed, data, order, stop)
            losses.append(float(state.totals.loss))
        kernel = jax.tree.leaves(state.params)[-1]
        logits = programs.predict(state.params, state.model_state, images[:33], hparams)
        found[f"{name} {devices}"] = {
            "losses": np.diff(losses).tolist(), "logits": np.asarray(logits).tolist(),
            "devices": len(kernel.sharding.device_set),
            "parts": "all-reduce" in programs.run_chunk.lower(
                state, hparams, seed, data, order, 1).compile().as_text()}
print(json.dumps(found))
"""


def measure(quick_environment, which):
    flags = quick_environment["XLA_FLAGS"] + f" {FLAG}=4"
    done = subprocess.run(
        [sys.executable, "-c", LOSSES, which],
        env={**quick_environment, "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def check(found, name):
    one, four = found[f"{name} 1"], found[f"{name} 4"]
    assert one["losses"] == pytest.approx(four["losses"], rel=1e-5)
    assert len(set(one["losses"])) == 20
    for a, b in zip(one["logits"], four["logits"], strict=True):
        assert a == pytest.approx(b, rel=1e-3, abs=1e-3)


@pytest.mark.long
def test_losses_on_four_devices(quick_environment):
    found = measure(quick_environment, "right")
    for name in ("mlp", "rnn", "cnn"):
        check(found, name)
        assert [found[f"{name} {n}"]["devices"] for n in (1, 4)] == [1, 4]
        # The batch is split: the gradient is summed over the devices.
        assert not found[f"{name} 1"]["parts"] and found[f"{name} 4"]["parts"]
    planted = measure(quick_environment, "planted")
    with pytest.raises(AssertionError):
        check(planted, "mlp")


@pytest.mark.parametrize(("flags", "devices"), [("", "3"), (f"{FLAG}=2", "2")])
def test_devices_of_the_cpu_are_made_before_it_computes_and_not_again(flags, devices):
    script = (
        "import jax; from dropout_jax.training.mesh import make_devices\n"
        "for count in (3, 1, 5): make_devices(count); print(len(jax.devices()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.split() == [devices] * 3


def test_more_devices_than_there_are():
    assert batch_mesh(1) is None
    message = r"train.devices is 64, but JAX sees \d+ \(cpu\).*device_count=64"
    with pytest.raises(UserError, match=message):
        batch_mesh(64)
