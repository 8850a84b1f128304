# SPDX-License-Identifier: Apache-2.0
"""Agreement of several predictions, against its definition in NumPy and float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from dropout_jax.evaluation import metrics
from dropout_jax.evaluation.uncertainty import (
    expected_entropy,
    mean_log_probs,
    mutual_information,
    predictive_entropy,
)

LOGITS = 3 * np.random.default_rng(0).normal(size=(7, 20, 5))
PROBS = special.softmax(LOGITS, axis=-1)


def test_the_mean_prediction():
    found = mean_log_probs(LOGITS)
    np.testing.assert_allclose(np.exp(found), PROBS.mean(0), rtol=2e-6)
    assert found.dtype == jnp.float32


def test_metrics_take_it_for_logits():
    labels = np.arange(20) % 5
    found = metrics.nll(mean_log_probs(LOGITS), labels)
    wanted = -np.log(PROBS.mean(0)[np.arange(20), labels]).mean()
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_hopeless_label_keeps_its_likelihood():
    """Through probabilities it would be log 0."""
    logits = jnp.array([[[200.0, 0.0]], [[200.0, 0.0]]])
    assert float(mean_log_probs(logits)[0, 1]) == -200.0


def test_entropies():
    mean = PROBS.mean(0)
    total, own = stats.entropy(mean, axis=-1), stats.entropy(PROBS, axis=-1).mean(0)
    np.testing.assert_allclose(predictive_entropy(LOGITS), total, rtol=1e-5)
    np.testing.assert_allclose(expected_entropy(LOGITS), own, rtol=1e-5)
    found = mutual_information(LOGITS)
    np.testing.assert_allclose(found, total - own, rtol=1e-3, atol=1e-6)
    # It is the mean divergence of the predictions from their mean.
    divergence = special.rel_entr(PROBS, mean).sum(-1).mean(0)
    np.testing.assert_allclose(found, divergence, rtol=1e-3, atol=1e-6)
    assert (found > 0.01).any()


def test_predictions_that_agree_leave_only_their_own_doubt():
    same = np.broadcast_to(LOGITS[:1], LOGITS.shape)
    np.testing.assert_allclose(mutual_information(same), 0, atol=1e-6)
    np.testing.assert_allclose(
        predictive_entropy(same), expected_entropy(same), rtol=1e-5
    )


def test_impossible_classes_count_nothing():
    logits = jnp.array([[[0.0, -jnp.inf, 0.0]], [[0.0, -jnp.inf, -jnp.inf]]])
    for measure in (predictive_entropy, expected_entropy, mutual_information):
        assert np.isfinite(measure(logits)).all()
    assert float(expected_entropy(logits)[0]) == pytest.approx(np.log(2) / 2)


@pytest.mark.parametrize("shape", [(3, 2), (2, 0, 3), (1, 2, 3, 4)])
def test_other_shapes_are_refused(shape):
    for measure in (mean_log_probs, expected_entropy, mutual_information):
        with pytest.raises(ValueError, match=r"give \[S, N, C\]"):
            measure(jnp.zeros(shape))


def test_under_jit_and_vmap():
    both = jnp.stack([LOGITS, LOGITS + 1])
    found = jax.jit(jax.vmap(mutual_information))(both)
    np.testing.assert_allclose(found[0], mutual_information(LOGITS), rtol=1e-5)
