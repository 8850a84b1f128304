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
    with pytest.raises(ValueError, match="bins is 0; it must be at least 1"):
        metrics.ece(jnp.zeros((2, 2)), jnp.zeros(2, jnp.int32), bins=0)
    with pytest.raises(ValueError, match="bins is -1"):
        metrics.adaptive_ece(jnp.zeros((2, 2)), jnp.zeros(2, jnp.int32), bins=-1)


METRICS = ("accuracy", "nll", "brier", "ece", "adaptive_ece")
IMPOSSIBLE = ([0, -1], [0, 3], [2**32, 1], [-(2**31), 0])


@pytest.mark.parametrize("labels", IMPOSSIBLE, ids=repr)
def test_a_label_that_no_class_has_is_told(labels):
    """Of the last class's likelihood -1 would have the share; of 2**32 that of 0."""
    place = int(np.flatnonzero((np.array(labels) < 0) | (np.array(labels) > 2))[0])
    says = rf"labels hold {labels[place]} \(at {place}\); .* give labels in \[0, 2\]"
    logits = jnp.zeros((2, 3))
    for given in (labels, np.array(labels)):
        for name in (*METRICS, "reliability", "summary", "evaluation"):
            with pytest.raises(ValueError, match=says) as caught:
                getattr(metrics, name)(logits, given)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.uint8, jnp.int8])
def test_a_label_that_no_class_has_is_nan_inside_of_jit(dtype):
    logits = jnp.zeros((2, 200))
    summary = jax.jit(metrics.summary)
    fine = summary(logits, jnp.array([0, 1], dtype))
    assert all(np.isfinite(value) for value in fine.values())
    wrong = jnp.array([0, -1 if dtype == jnp.int8 else 201], dtype)
    found = summary(logits, wrong)
    assert all(np.isnan(value) for value in found.values())
    bins = jax.jit(metrics.reliability)(logits, wrong)
    assert np.isnan(bins.confidence).all() and np.isnan(bins.accuracy).all()
    assert int(bins.count.sum()) == 2
    assert np.isnan(jax.jit(metrics.adaptive_ece)(logits, wrong))


def confident(confidences):
    """Logits of two classes with these confidences, exact in float32."""
    top = np.asarray(confidences, np.float32)
    return np.stack([top, np.zeros_like(top)], 1)


@pytest.fixture
def taken_as_they_are(monkeypatch):
    """Metrics whose softmax is the identity, compiled anew."""
    monkeypatch.setattr(jax.nn, "softmax", lambda logits, axis=-1: logits)
    jax.clear_caches()
    yield
    jax.clear_caches()


@pytest.mark.usefixtures("taken_as_they_are")
@pytest.mark.parametrize("bins", [3, 7, 10, 15, 20, 100])
def test_a_confidence_on_an_edge_begins_its_bin(bins):
    """Of every edge, where float32 misses k/bins too; one ulp below lies below."""
    edges = (np.arange(bins) / bins).astype(np.float32)
    labels = np.zeros(bins, np.int32)
    found = metrics.reliability(confident(edges), labels, bins)
    assert found.count.tolist() == [1] * bins
    below = np.nextafter(edges[1:], np.float32(0))
    found = metrics.reliability(confident(below), labels[1:], bins)
    assert found.count.tolist() == [1] * (bins - 1) + [0]


@pytest.mark.usefixtures("taken_as_they_are")
def test_ece_of_tenths_is_that_of_torchmetrics():
    logits, labels = confident([0.6, 0.7, 0.8, 0.9]), np.array([1, 0, 1, 0])
    found = metrics.ece(logits, labels, 10)
    expected = (0.6 + 0.3 + 0.8 + 0.1) / 4
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(
        reference_ece(logits, labels, 10), expected, rtol=1e-6
    )  # which has its edges by float32's linspace


@pytest.mark.parametrize("bins", [2, 3, 5])
def test_examples_of_equal_confidence_have_no_order(bins):
    logits = np.log(np.array([[0.75, 0.25]] * 4 + [[0.9, 0.1]] * 3, np.float32))
    labels = np.array([0, 0, 1, 1, 0, 1, 0])
    orders = [np.roll(np.arange(7), shift) for shift in range(7)]
    found = {float(metrics.adaptive_ece(logits[o], labels[o], bins)) for o in orders}
    assert len(found) == 1
    # Each bin by hand: an example of a tie is right as often as the tie is.
    over = np.array([0.75 - 0.5] * 4 + [0.9 - 2 / 3] * 3)
    bin_of = np.arange(7) * bins // 7
    expected = sum(abs(over[bin_of == b].sum()) for b in range(bins)) / 7
    np.testing.assert_allclose(found.pop(), expected, rtol=1e-5)


def test_complex_logits_are_refused():
    with pytest.raises(TypeError, match="logits are complex64: give real numbers"):
        metrics.nll(jnp.zeros((2, 2), jnp.complex64), jnp.zeros(2, jnp.int32))
