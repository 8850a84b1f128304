# SPDX-License-Identifier: Apache-2.0
"""Claims of the source texts that are loose, shown by enumeration (docs/claims.md)."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import theory, transforms
from dropout_jax.training.losses import l2_penalty

RATE = 0.3
SIZES = (3, 4, 4, 1)
RANDOM = np.random.default_rng(8)
KERNELS = [RANDOM.normal(size=shape) for shape in itertools.pairwise(SIZES)]
X = RANDOM.normal(size=3)
MASKS = [np.asarray(theory.all_masks(n), np.float64) for n in SIZES[:-1]]


def mean_output(activation, gain):
    """E of the network over the masks of all its layers, layer by layer."""

    def below(h, depth):
        if depth == len(KERNELS):
            return h[0]
        h = activation(h) if depth else h
        kept = MASKS[depth].sum(1)
        share = (1 - RATE) ** kept * RATE ** (len(h) - kept)
        outputs = [
            below((h * m * gain) @ KERNELS[depth], depth + 1) for m in MASKS[depth]
        ]
        return np.dot(share, outputs)

    return below(X, 0)


def output(activation):
    h = X
    for depth, kernel in enumerate(KERNELS):
        h = (activation(h) if depth else h) @ kernel
    return h[0]


def relu(h):
    return np.maximum(h, 0)


def test_the_mean_output_shrinks_by_the_product_only_unscaled_and_linear():
    k = (1 - RATE) ** len(KERNELS)
    same, clean = (lambda h: h), output(lambda h: h)
    np.testing.assert_allclose(mean_output(same, 1.0), k * clean, rtol=1e-12)
    np.testing.assert_allclose(mean_output(same, 1 / (1 - RATE)), clean, rtol=1e-12)
    # With ReLU neither holds: noise between the layers is not unbiased end to end.
    assert abs(mean_output(relu, 1.0) / (k * output(relu)) - 1) > 0.01
    assert abs(mean_output(relu, 1 / (1 - RATE)) / output(relu) - 1) > 0.01


def test_the_covariance_of_a_random_input_has_its_own_part():
    """k**2 Cov(x) + k (1 - k) diag(E[x**2]) unscaled, for x on a few points."""
    points, masks, k = RANDOM.normal(size=(5, 3)), MASKS[0], 1 - RATE
    kept = masks.sum(1)
    share = k**kept * RATE ** (3 - kept)
    y = (points[:, None] * masks).reshape(-1, 3)
    weights = np.tile(share / len(points), len(points))
    found = np.cov(y.T, aweights=weights, ddof=0)
    own = k**2 * np.cov(points.T, ddof=0)
    drawn = k * RATE * np.diag((points**2).mean(0))
    np.testing.assert_allclose(found, own + drawn, rtol=1e-12)
    assert np.abs(found - drawn).max() > 0.1


@pytest.mark.parametrize("outputs", [1, 2])
def test_masking_weights_is_masking_inputs_for_one_output_alone(outputs):
    """For one output the same bits; for more, each output has masks of its own."""
    key, x = jax.random.key(0), jax.random.normal(jax.random.key(1), (50, 8))
    kernel = jax.random.normal(jax.random.key(2), (8, outputs))
    weights = transforms.dropconnect_dense(
        key, x, RATE, kernel=kernel, sampling="separate"
    )
    inputs = transforms.dropout(key, x, RATE) @ kernel
    assert np.allclose(weights, inputs, atol=1e-5) == (outputs == 1)


def test_noise_on_the_data_is_to_second_order_what_the_second_derivatives_say():
    """The rest falls with the fourth power of the noise, and is not 0."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    weights = weights / weights.sum()

    def loss(x):
        return (jnp.tanh(1.5 * x + 0.3) - 0.2) ** 2

    with jax.enable_x64(True):
        curvature = jax.grad(jax.grad(loss))(0.4)
        rest = [
            float(weights @ loss(0.4 + s * nodes) - loss(0.4) - s**2 / 2 * curvature)
            for s in (0.1, 0.05)
        ]
    assert 14 < rest[0] / rest[1] < 18 and abs(rest[1]) > 1e-8


def test_the_penalised_norm_falls_with_the_rate_and_the_plain_one_need_not():
    """Two features whose scales differ by ten, the target the second one itself."""
    x = jnp.linalg.cholesky(jnp.array([[1.0, 9.0], [9.0, 100.0]])).T
    scales = jnp.sqrt(jnp.sum(x**2, 0))
    found = [theory.dropout_ridge_solution(x, x[:, 1], r) for r in (0.1, 0.3, 0.5, 0.9)]
    penalised = [float(jnp.linalg.norm(scales * w)) for w in found]
    plain = [float(jnp.linalg.norm(w)) for w in found]
    assert penalised == sorted(penalised, reverse=True)
    assert plain[1] > 1.2 * plain[0] and plain[3] < plain[0]


def test_the_training_loss_stays_noisy_at_its_best_weights():
    x = jax.random.normal(jax.random.key(3), (7, 4))
    target = jax.random.normal(jax.random.key(4), (7,))
    best = theory.dropout_ridge_solution(x, target, 0.5)
    masks = theory.all_masks(4)
    losses = jnp.stack(
        [jnp.mean((target - 2 * x * m[None] @ best) ** 2) for m in masks]
    )
    assert losses.std() > 0.1 * losses.mean()


def test_products_of_functions_factorize_where_no_draw_is_shared():
    """Eq. 9.4.2 for arbitrary functions; one draw for two elements breaks it."""
    at_zero, at_one = np.random.default_rng(12).normal(size=(2, 3))
    values = np.where(MASKS[0] > 0, at_one, at_zero)  # f_j(m_j), [masks, elements]
    share = np.asarray(theory.mask_probabilities(MASKS[0], RATE), np.float64)
    each = (1 - RATE) * at_one + RATE * at_zero
    np.testing.assert_allclose(share @ values.prod(1), each.prod(), rtol=1e-6)
    one_draw = (1 - RATE) * at_one.prod() + RATE * at_zero.prod()
    assert abs(one_draw / each.prod() - 1) > 0.1


def test_the_unscaled_variance_is_largest_at_one_half_and_the_scaled_one_nowhere():
    rates = jnp.linspace(0.0, 1.0, 101)
    unscaled, scaled = (
        np.asarray(
            [
                transforms.dropout_moments(jnp.float32(1.0), r, scaling=form).variance
                for r in rates[:-1]
            ]
        )
        for form in ("test", "train")
    )
    assert np.argmax(unscaled) == 50 and unscaled[50] == 0.25
    np.testing.assert_allclose(unscaled[[0, 99]], [0.0, 0.0099], rtol=1e-4)
    assert (np.diff(scaled) > 0).all() and scaled[99] > 98


def test_a_linear_model_fits_any_targets_where_features_outnumber_examples():
    """Pure noise is fitted exactly, and predicts worse than the constant 0."""

    random = np.random.default_rng(13)

    def errors(examples, features=40):
        """Mean squared errors on the training data and on fresh data, of noise."""
        found = []
        for _ in range(50):
            x, fresh = random.normal(size=(2, examples, features))
            target, other = random.normal(size=(2, examples))
            weights = np.linalg.lstsq(x, target, rcond=None)[0]
            found.append(
                [
                    np.mean((z @ weights - t) ** 2)
                    for z, t in ((x, target), (fresh, other))
                ]
            )
        return np.mean(found, 0)

    few, many = errors(20), errors(4_000)
    assert few[0] < 1e-20 and few[1] > 1.5  # 0 alone would be off by 1
    np.testing.assert_allclose(many, [1.0, 1.0], atol=0.03)


def test_an_l2_penalty_is_a_gaussian_prior_and_shares_weight():
    strength = 0.3
    kernel = {"kernel": jnp.asarray(KERNELS[0], jnp.float32)}
    slope = jax.grad(lambda params: strength * l2_penalty(params))(kernel)["kernel"]
    prior = jax.grad(
        lambda w: -jax.scipy.stats.norm.logpdf(w, scale=strength**-0.5).sum()
    )(kernel["kernel"])
    np.testing.assert_allclose(slope, prior, rtol=1e-5)
    # A feature that stands there twice: least squares leaves the shares open, all of
    # it on one included; the penalty makes them equal.
    x = np.random.default_rng(14).normal(size=(9, 2))
    x = np.column_stack([x, x[:, 0]])
    weights = np.linalg.solve(x.T @ x + strength * np.eye(3), x.T @ x[:, 0])
    np.testing.assert_allclose(weights[0], weights[2], rtol=1e-9)
    assert abs(weights[0]) > 0.3


def test_fresh_masks_on_a_state_cut_its_gradient_and_noise_on_the_candidate_does_not():
    """The share of units whose state has gradient 0 after some steps."""
    units, steps, k = 10_000, 8, 1 - RATE
    keys = jax.random.split(jax.random.key(11), steps)

    def fresh(state):
        for key in keys:
            state = transforms.dropout(key, state, RATE)
        return state

    def tied(state):
        for _ in keys:
            state = transforms.dropout(keys[0], state, RATE)
        return state

    def candidate(state):
        for key in keys:
            state = state + transforms.dropout(key, jnp.tanh(state), RATE)
        return state

    def zoneout(state):
        for key in keys:
            new = 0.5 * state
            state = transforms.zoneout(key, new, RATE, previous=state)
        return state

    def cut(step):
        gradient = jax.grad(lambda state: step(state).sum())(jnp.ones(units))
        return float(jnp.mean(gradient == 0.0))

    for step, expected in ((fresh, 1 - k**steps), (tied, 1 - k)):
        error = (expected * (1 - expected) / units) ** 0.5
        assert abs(cut(step) - expected) < 5 * error
    assert cut(candidate) == cut(zoneout) == 0.0
