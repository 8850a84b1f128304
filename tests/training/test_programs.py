# SPDX-License-Identifier: Apache-2.0
"""Order of the batches, one program for many trials, prediction without loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.evaluation import metrics
from dropout_jax.training import programs as programs_module
from dropout_jax.training.checkpoints import sha256_of_tree
from dropout_jax.training.hyperparameters import static_signature, traced
from dropout_jax.training.programs import build_programs, epoch_order
from dropout_jax.training.step import TrainState, zero_totals

SIDE, CLASSES, TRAIN_SIZE, BATCH = 4, 10, 14, 4  # three batches, two examples over
IMAGES = np.random.default_rng(0).integers(0, 256, (TRAIN_SIZE, SIDE, SIDE))
IMAGES = IMAGES.astype(np.uint8)
LABELS = (np.arange(TRAIN_SIZE) % CLASSES).astype(np.int32)
DATA = (IMAGES, LABELS)


@pytest.fixture(scope="module")
def build(tiny):
    def make(fields=None):
        config = tiny({"train.batch_size": BATCH, **(fields or {})})
        programs = build_programs(config, (SIDE, SIDE), CLASSES, TRAIN_SIZE)
        return programs, traced(config, programs.model.sites)

    return make


def train(programs, hparams, state, steps, *, seed=0, data=DATA):
    per_epoch = programs.steps_per_epoch
    state = jax.tree.map(jnp.copy, state)  # the program reuses its argument's memory
    while int(state.step) < steps:
        stop = min(steps, (int(state.step) // per_epoch + 1) * per_epoch)
        order = programs.order(np.uint32(seed), int(state.step) // per_epoch)
        state = programs.run_chunk(state, hparams, np.uint32(seed), data, order, stop)
    return state


def equal(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


@pytest.fixture(scope="module")
def logbook(tiny):
    """Returns run_chunk with a step that writes down what it is shown."""

    def fake(config, model, steps_per_epoch, train_size):
        def step(state, hparams, seed, images, labels):
            row = jnp.stack([images[:, 0, 0].astype(jnp.int32), labels])
            pages = jax.lax.dynamic_update_index_in_dim(
                state.params, row, state.step, axis=0
            )
            return state._replace(step=state.step + 1, params=pages)

        return step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs_module, "make_train_step", fake)
        config = tiny({"train.batch_size": BATCH})
        programs = programs_module._build(config, (SIDE, SIDE), CLASSES, TRAIN_SIZE)
    numbers = np.zeros((TRAIN_SIZE, SIDE, SIDE), np.uint8)
    numbers[:, 0, 0] = np.arange(TRAIN_SIZE)
    data = (numbers, np.arange(TRAIN_SIZE, dtype=np.int32) + 100)

    def read(stops, seed=0):
        state = TrainState(
            jnp.int32(0), jnp.full((9, 2, BATCH), -1, jnp.int32), {}, {}, zero_totals()
        )
        for stop in stops:
            order = programs.order(np.uint32(seed), int(state.step) // 3)
            state = programs.run_chunk(state, None, np.uint32(seed), data, order, stop)
        return np.asarray(state.params)

    return read


def test_an_epoch_visits_each_example_at_most_once(logbook):
    seen = logbook([3, 6, 9])
    np.testing.assert_array_equal(seen[:, 1], seen[:, 0] + 100)  # its own label
    epochs = seen[:, 0].reshape(3, 3 * BATCH)
    for epoch in epochs:
        assert len(set(epoch.tolist())) == 12 and set(epoch) <= set(range(TRAIN_SIZE))
    # Three orders of 14 examples: equal by chance once in 10^10.
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert len({frozenset(epoch) for epoch in epochs}) > 1  # others are left over


def test_chunks_of_any_length_see_the_same_batches(logbook):
    whole = logbook([3, 6, 9])
    np.testing.assert_array_equal(logbook([1, 2, 3, 4, 6, 8, 9]), whole)
    assert np.any(logbook([3, 6, 9], seed=1) != whole)


def test_a_chunk_goes_through_the_ends_of_epochs(logbook):
    """Begun anywhere, it draws the orders of the epochs that follow."""
    whole = logbook([3, 6, 9])
    for stops in ([9], [2, 9], [3, 8, 9], [1, 7, 9], [6, 9]):
        np.testing.assert_array_equal(logbook(stops), whole, err_msg=str(stops))


def test_what_is_not_finite_outlives_the_epoch_in_the_totals(build, random_state):
    """The host looks after a chunk, perhaps some epochs later."""
    programs, hparams = build()
    state = random_state(programs, hparams)
    for name in ("loss", "gradient_norm"):
        totals = state.totals._replace(**{name: jnp.float32(np.inf)})
        begun = state._replace(step=jnp.int32(2), totals=totals)
        order = programs.order(np.uint32(0), 0)
        arguments = hparams, np.uint32(0), DATA, order, 8
        end = programs.run_chunk(jax.tree.map(jnp.copy, begun), *arguments)
        assert not np.isfinite(getattr(end.totals, name))
        assert np.isfinite(end.totals.correct)


def test_evaluation_on_the_device_is_that_of_the_host(build, random_state):
    """Images of two sets in one program: each with its own labels and metrics."""
    programs, hparams = build()
    state = random_state(programs, hparams)
    cut = 5
    splits = [(IMAGES[:cut], LABELS[:cut]), (IMAGES[cut:], LABELS[cut:])]
    model = state.params, state.model_state
    found = programs.evaluate(*model, splits, hparams)
    for (images, labels), one in zip(splits, found, strict=True):
        logits = np.asarray(programs.predict(*model, images, hparams))
        for name, value in metrics.summary(logits, labels).items():
            assert one.summary[name] == pytest.approx(float(value), rel=1e-6), name
        bins = metrics.reliability(logits, labels)
        np.testing.assert_array_equal(one.reliability.count, bins.count)
        np.testing.assert_allclose(one.reliability.accuracy, bins.accuracy, rtol=1e-6)
        assert one.reliability.count.sum() == len(labels)
    assert found[0].summary["nll"] != found[1].summary["nll"]


def test_the_order_is_that_of_epoch_order(logbook):
    order = epoch_order(7, 2, TRAIN_SIZE)[: 3 * BATCH]
    np.testing.assert_array_equal(logbook([3, 6, 9], seed=7)[6:, 0].ravel(), order)


def test_twelve_rates_are_one_program(build, random_state):
    first, found = build()[0], []
    for rate in np.linspace(0, 1, 12):
        programs, hparams = build({"noise.rates": (float(rate),)})
        assert programs is first
        state = random_state(programs, hparams)
        state = train(programs, hparams, state, 3)
        found.append(float(state.totals.loss))
    assert programs.run_chunk._cache_size() == 1
    assert len(set(found)) == 12  # and every rate has its effect


@pytest.mark.parametrize(
    "path, value",
    [
        ("seed", 5),
        ("regularizer.weight_decay", 0.1),
        ("regularizer.l2", 0.1),
        ("regularizer.label_smoothing", 0.1),
        ("optimizer.learning_rate", 0.5),
        ("optimizer.momentum", 0.1),
        ("noise.kl_weight", 0.1),
    ],
)
def test_traced_fields_share_a_program_and_have_an_effect(
    build, random_state, tiny, path, value
):
    base = {
        "optimizer.name": "momentum",
        "noise.kind": "variational_dropout",
        "noise.rates": (),
        "noise.kl_warmup_epochs": 0.0,
    }
    programs, hparams = build(base)
    other, changed = build({**base, path: value})
    assert other is programs
    state = random_state(programs, hparams)
    seed = value if path == "seed" else 0
    ends = [
        train(programs, h, state, 2, seed=s).params
        for h, s in ((hparams, 0), (changed, seed))
    ]
    assert not equal(*ends)


@pytest.mark.parametrize(
    "path, value",
    [
        ("noise.input_rate", 0.1),
        ("model.widths", (9,)),
        ("optimizer.name", "sgd"),
        ("optimizer.clip_norm", 1.0),
        ("regularizer.max_norm", 1.0),
        ("train.epochs", 3),
        ("data.flip", True),
        ("noise.kind", "gaussian_dropout"),
    ],
)
def test_what_shapes_the_program_is_in_its_signature(tiny, path, value):
    assert static_signature(tiny({path: value})) != static_signature(tiny())


def test_the_same_seed_starts_every_method_from_the_same_weights(build):
    seed = np.uint32(3)
    plain, hparams = build({"noise.kind": "none", "noise.rates": ()})
    start = plain.init(hparams, seed).params
    assert not equal(start, plain.init(hparams, np.uint32(4)).params)
    for fields in (
        {"noise.input_rate": 0.1},
        {"noise.kind": "variational_dropout", "noise.rates": ()},
    ):
        programs, hparams = build(fields)
        params = programs.init(hparams, seed).params
        assert equal({name: params[name] for name in start}, start)


# Written with jax 0.10.2. Another release of JAX may change them, which is a change of
# what docs/reproducibility.md promises; its release notes must say so.
GOLDEN_ORDER = "ebf73a67ab1dc56d6b5b1763674c3bff92cfb27d0062e6658f9e3a3c1e77beaa"
GOLDEN_WEIGHTS = {  # their product with sin(0), sin(1), ...
    "mlp": 2.7720201889540697,
    "cnn": -2.4884962394643395,
    "rnn": 1.452512083876895,
}


def test_golden_first_weights_and_batches(build):
    """The same batches anywhere; weights but for the rounding of normals."""
    for network, fields in (
        ("mlp", {}),
        ("cnn", {"model.name": "cnn", "model.channels": (2,), "model.widths": (4,)}),
        ("rnn", {"model.name": "rnn", "model.widths": (4,)}),
    ):
        programs, hparams = build({"noise.rates": (), **fields} if fields else None)
        leaves = jax.tree.leaves(programs.init(hparams, np.uint32(3)).params)
        weights = np.concatenate([np.asarray(leaf).ravel() for leaf in leaves])
        projected = float(weights @ np.sin(np.arange(weights.size)))
        assert projected == pytest.approx(GOLDEN_WEIGHTS[network], rel=1e-5)
    orders = [programs.order(np.uint32(3), epoch) for epoch in range(3)]
    assert sha256_of_tree(orders) == GOLDEN_ORDER


def test_augmentation_leaves_masks_and_batches_alone(build, random_state):
    """Mirrored symmetric images are themselves: only masks or batches could differ."""
    plain, hparams = build()
    flipped, _ = build({"data.flip": True})
    state = random_state(plain, hparams)
    symmetric = (IMAGES | IMAGES[:, :, ::-1], LABELS)
    ends = [train(p, hparams, state, 3, data=symmetric) for p in (plain, flipped)]
    for ours, theirs in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    moved = [train(p, hparams, state, 3).params for p in (plain, flipped)]
    difference = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), *moved)
    assert max(jax.tree.leaves(difference)) > 1e-3


@pytest.mark.parametrize("batch", [10, 127, 1000])
def test_every_image_is_predicted_once(tiny, random_state, monkeypatch, batch):
    """127 is prime: no batch but 1 and 127 divides it."""
    monkeypatch.setattr(programs_module, "PREDICTION_BATCH", batch)
    config = tiny()
    programs = programs_module._build(config, (SIDE, SIDE), CLASSES, 96)
    hparams = traced(config, programs.model.sites)
    state = random_state(programs, hparams)
    images = np.random.default_rng(1).integers(0, 256, (127, SIDE, SIDE), np.uint8)
    logits = programs.predict(state.params, state.model_state, images, hparams)
    params = state.params
    hidden = images.reshape(127, -1) / 255.0 @ np.float64(params["dense_0"]["kernel"])
    hidden = np.maximum(hidden + np.asarray(params["dense_0"]["bias"])[None], 0)
    expected = hidden @ np.float64(params["logits"]["kernel"])
    expected = expected + np.asarray(params["logits"]["bias"])[None]
    assert logits.shape == (127, CLASSES)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
