# SPDX-License-Identifier: Apache-2.0
"""Tiny runs on the synthetic data; equal settings share their compiled programs."""

import os
import signal
import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tensorboardX.proto import event_pb2

from dropout_jax import training
from dropout_jax.config import defaults
from dropout_jax.config.loading import override

TINY = {
    "data.name": "synthetic",
    "data.train_size": 96,
    "model.widths": (8,),
    "noise.kind": "dropout",
    "noise.rates": (0.2,),
    "optimizer.learning_rate": 0.01,
    "optimizer.schedule": "constant",
    "train.epochs": 2,
    "train.batch_size": 32,
}


class Recorder(training.TerminalProgress):
    """Remembers what a run shows; asks it to stop after certain steps, as Ctrl-C."""

    def __init__(self, stop_after=()):
        super().__init__()
        self.notes, self.steps, self.stop_after = [], [], stop_after

    def note(self, message):
        self.notes.append(message)

    def advance(self, step, *speed):
        self.steps.append(step)
        if step in self.stop_after:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="package")
def tiny():
    """Returns a function from fields that differ to a tiny configuration."""
    return lambda fields=None: override(defaults(), {**TINY, **(fields or {})})


@pytest.fixture(scope="package")
def recorder():
    """Returns the class `Recorder`."""
    return Recorder


@pytest.fixture(scope="package")
def finished(tiny, tmp_path_factory):
    """A finished run of the tiny configuration; nobody may write into it."""
    progress = Recorder()
    result = training.run(
        tiny(), tmp_path_factory.mktemp("finished") / "run", progress=progress
    )
    assert result.fresh
    return result


def fill(shapes, seed=0):
    """Random numbers of the right shapes: nothing to compile."""
    random = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: jnp.asarray(random.normal(0, 0.3, leaf.shape), leaf.dtype), shapes
    )


@pytest.fixture(scope="package")
def random_state():
    """Returns a function from programs, hparams to a state with random weights."""

    def make(programs, hparams):
        state = jax.eval_shape(programs.init, hparams, np.uint32(0))
        zero = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), state)
        return zero._replace(params=fill(state.params))

    return make


def read_summaries(directory):
    """What a TensorBoard directory holds, as (step, tensorboardX Summary.Value)."""
    (path,) = directory.iterdir()
    raw, found = path.read_bytes(), []
    while raw:  # length, its checksum, the event, its checksum
        (length,) = struct.unpack("<Q", raw[:8])
        event = event_pb2.Event.FromString(raw[12 : 12 + length])
        found += [(event.step, value) for value in event.summary.value]
        raw = raw[16 + length :]
    return found


@pytest.fixture(scope="package")
def summaries():
    """Returns `read_summaries`."""
    return read_summaries


@pytest.fixture(scope="package")
def events():
    """Returns a function of a TensorBoard directory: scalars as (tag, step, value)."""

    def scalars(directory):
        return [
            (value.tag, step, value.simple_value)
            for step, value in read_summaries(directory)
            if value.HasField("simple_value")
        ]

    return scalars
