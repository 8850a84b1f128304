# SPDX-License-Identifier: Apache-2.0
"""Metrics against independent NumPy definitions, and at their edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.evaluation import metrics


@pytest.fixture(scope="module")
def predictions():
    """An overconfident classifier of 2,000 examples and 10 classes."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 10, 2000)
    logits = generator.normal(size=(2000, 10)) * 2
    logits[np.arange(2000), labels] += 2.5
    return logits.astype(np.float32), labels


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def reference_ece(probs, labels, bins, right=True):
    """torchmetrics 1.9's l1 calibration error, transcribed to NumPy."""
    edges = np.linspace(0, 1, bins + 1, dtype=np.float32)
    confidence, correct = probs.max(axis=1), probs.argmax(axis=1) == labels
    index = np.searchsorted(edges, confidence, side="right" if right else "left") - 1
    total = 0.0
    for b in range(bins + 1):
        inside = index == b
        if inside.any():
            gap = abs(correct[inside].mean() - confidence[inside].mean())
            total += gap * inside.mean()
    return total


def test_metrics_equal_their_definitions(predictions):
    logits, labels = predictions
    probs = softmax(logits.astype(np.float64))
    found = jax.jit(metrics.summary)(logits, labels)
    truth = np.eye(10)[labels]
    expected = {
        "accuracy": np.mean(probs.argmax(axis=1) == labels),
        "nll": -np.mean(np.log(probs[np.arange(2000), labels])),
        "brier": np.mean(((probs - truth) ** 2).sum(axis=1)),
        "ece": reference_ece(probs, labels, 15),
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-5, err_msg=name)


@pytest.mark.parametrize("bins", [1, 2, 10, 15])
def test_ece_is_the_sum_over_reliability_bins(predictions, bins):
    logits, labels = predictions
    found = metrics.reliability(logits, labels, bins)
    assert all(column.shape == (bins,) for column in found)
    assert int(found.count.sum()) == 2000
    by_hand = np.sum(np.abs(found.accuracy - found.confidence) * found.count) / 2000
    np.testing.assert_allclose(metrics.ece(logits, labels, bins), by_hand, rtol=1e-6)
    np.testing.assert_allclose(
        by_hand, reference_ece(softmax(logits), labels, bins), rtol=1e-5
    )


@pytest.mark.parametrize("bins", [1, 7, 15, 2000, 3000])
def test_adaptive_ece_is_the_mean_gap_of_equal_counts(predictions, bins):
    logits, labels = predictions
    logits = 0.7 * logits  # too sure of some, not sure enough of others
    probs = softmax(logits.astype(np.float64))
    confidence, correct = probs.max(axis=1), probs.argmax(axis=1) == labels
    order = np.argsort(confidence)
    bin_of = np.floor(np.arange(2000) * bins / 2000)
    total = 0.0
    for b in np.unique(bin_of):
        inside = order[bin_of == b]
        gap = abs(correct[inside].mean() - confidence[inside].mean())
        total += gap * len(inside) / 2000
    found = metrics.adaptive_ece(logits, labels, bins)
    np.testing.assert_allclose(found, total, rtol=1e-4)
    wide = abs(found - metrics.ece(logits, labels, bins))
    assert wide < 1e-6 if bins == 1 else wide > 1e-4


def test_lists_are_taken_as_arrays(predictions, monkeypatch):
    """Given to the program as they are, each of their numbers would be an argument."""
    logits, labels = predictions
    taken, checked = [], metrics._checked
    monkeypatch.setattr(metrics, "_checked", lambda *a: taken.append(a) or checked(*a))
    found = metrics.accuracy(logits[:7].tolist(), labels[:7].tolist())
    assert [[part.shape for part in a] for a in taken] == [[(7, 10), (7,)]]
    assert found == np.mean(logits[:7].argmax(1) == labels[:7])


def test_a_confidence_on_an_edge_falls_into_the_upper_bin():
    logits = np.zeros((2, 2), np.float32)  # confidence exactly 1/2, the edge of 2 bins
    labels = np.array([0, 0])
    assert metrics.reliability(logits, labels, 2).count.tolist() == [0, 2]


def test_certainty_belongs_to_the_last_bin():
    logits = np.array([[200.0, 0], [4, 0]], np.float32)
    labels = np.array([1, 0])  # certain and wrong; 0.982 and right
    found = metrics.reliability(logits, labels)
    assert found.count.tolist() == [0] * 14 + [2]
    # torchmetrics splits the two and finds (1 + 0.018) / 2; one bin finds less.
    together = abs(0.5 - (1 + softmax(logits)[1, 0]) / 2)
    np.testing.assert_allclose(metrics.ece(logits, labels), together, rtol=1e-6)
    assert together < reference_ece(softmax(logits), labels, 15)


def test_the_reference_would_catch_bins_closed_on_the_other_side():
    logits, labels = np.zeros((4, 2), np.float32), np.array([1, 0, 0, 0])
    logits[0, 0] = 0.5  # 0.62 and wrong: alone in its bin, if 0.5 went down
    ours = metrics.ece(logits, labels, 2)
    probs = softmax(logits)
    np.testing.assert_allclose(ours, reference_ece(probs, labels, 2), rtol=1e-6)
    assert abs(ours - reference_ece(probs, labels, 2, right=False)) > 0.01


@pytest.mark.parametrize("classes", [2, 10])
def test_ignorance_scores_what_theory_says(classes):
    logits = jnp.zeros((classes, classes))
    found = metrics.summary(logits, jnp.arange(classes))
    np.testing.assert_allclose(found["nll"], np.log(classes), rtol=1e-6)
    np.testing.assert_allclose(found["brier"], 1 - 1 / classes, rtol=2e-6)
    np.testing.assert_allclose(found["accuracy"], 1 / classes, rtol=1e-6)
    np.testing.assert_allclose(found["ece"], 0, atol=1e-6)


def test_large_logits_stay_finite_and_half_precision_is_computed_in_float32():
    logits = jnp.array([[3e4, -3e4], [0, 1]], jnp.float16)
    found = metrics.summary(logits, jnp.array([1, 1], jnp.uint8))
    assert all(value.dtype == jnp.float32 for value in found.values())
    np.testing.assert_allclose(
        found["nll"], (6e4 + np.log1p(np.exp(-1))) / 2, rtol=1e-3
    )


def test_a_diverged_model_is_not_given_a_likelihood():
    found = metrics.summary(jnp.full((2, 3), jnp.nan), jnp.array([0, 1]))
    assert np.isnan(found["nll"]) and np.isnan(found["brier"])


@pytest.mark.parametrize("shapes", [((3,), (3,)), ((3, 2), (2,)), ((0, 2), (0,))])
def test_shapes_that_do_not_fit_are_refused(shapes):
    logits, labels = jnp.zeros(shapes[0]), jnp.zeros(shapes[1], jnp.int32)
    with pytest.raises(ValueError, match="do not fit"):
        metrics.summary(logits, labels)


def test_other_bad_input_is_refused():
    with pytest.raises(TypeError, match="float32"):
        metrics.nll(jnp.zeros((2, 2)), jnp.zeros(2))
    with pytest.raises(ValueError, match="bins is 0"):
        metrics.ece(jnp.zeros((2, 2)), jnp.zeros(2, jnp.int32), bins=0)
    with pytest.raises(ValueError, match="bins is -1"):
        metrics.adaptive_ece(jnp.zeros((2, 2)), jnp.zeros(2, jnp.int32), bins=-1)
