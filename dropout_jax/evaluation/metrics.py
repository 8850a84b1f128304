# SPDX-License-Identifier: Apache-2.0
"""Classification metrics from logits: accuracy, likelihood, calibration.

Every function takes `logits` [N, C] and integer `labels` [N], counts each of the
N examples once, and computes in float32, in one compiled program: run operation by
operation they would spend longer compiling than a small network trains.

A label outside of [0, C) raises; inside `jit`, where it has no value yet, it makes
every metric NaN.
"""

import functools
import inspect
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from dropout_jax.arguments import whole
from dropout_jax.evaluation.labels import check_labels, possible_labels


class Reliability(NamedTuple):
    """Top-label confidence against accuracy in equal-width bins, each [bins].

    `confidence` and `accuracy` are means over the examples of a bin, and 0 where
    `count` is 0.
    """

    confidence: jax.Array
    accuracy: jax.Array
    count: jax.Array


class Evaluation(NamedTuple):
    """What a run reports of a model on some images.

    Attributes:
      summary: as `summary` returns it.
      reliability: in the 15 bins of `summary`'s ECE.
    """

    summary: dict[str, jax.Array]
    reliability: Reliability


_Metric = TypeVar("_Metric", bound=Callable)


def _compiled(metric: _Metric) -> _Metric:
    """One program per shape and `bins`; lists become arrays first, not one by one."""
    signature = inspect.signature(metric)
    _, _, *static = signature.parameters

    @functools.partial(jax.jit, static_argnums=tuple(range(2, 2 + len(static))))
    def program(logits, labels, *bins):
        found = metric(logits, labels, *bins)
        possible = possible_labels(labels, logits.shape[1])

        def or_nan(value):  # counts stay what they are
            counts = jnp.issubdtype(value.dtype, jnp.integer)
            return value if counts else jnp.where(possible, value, jnp.nan)

        return jax.tree.map(or_nan, found)

    @functools.wraps(metric)
    def call(logits, labels, *args, **kwargs):
        given = signature.bind(logits, labels, *args, **kwargs)
        given.apply_defaults()
        bins = [whole(name, given.arguments[name], 1) for name in static]
        check_labels(labels, np.shape(logits))
        return program(jnp.asarray(logits), jnp.asarray(labels), *bins)

    return call  # pyright: ignore[reportReturnType]


def _checked(logits, labels) -> tuple[jax.Array, jax.Array]:
    """The arrays, of shapes and kinds that fit, logits in float32."""
    if jnp.issubdtype(logits.dtype, jnp.complexfloating):
        raise TypeError(f"logits are {logits.dtype}: give real numbers")
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or logits.size == 0:
        raise ValueError(
            f"logits {logits.shape} and labels {labels.shape} do not fit: "
            "give logits [N, C] and labels [N], N >= 1"
        )
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"labels are {labels.dtype}: give integer class numbers")
    return logits.astype(jnp.float32), labels.astype(jnp.int32)


@_compiled
def accuracy(logits, labels) -> jax.Array:
    """Fraction of examples whose largest logit is at the label.

    Of several equal largest logits the first one is the prediction.

    Args:
      logits: [N, C], floating.
      labels: [N], integers in [0, C).

    Returns:
      A float32 scalar in [0, 1].

    Raises:
      ValueError: shapes that do not fit, or a label outside of [0, C).
      TypeError: labels that are not integers.

    Example:
      >>> float(accuracy([[2.0, 0.0], [0.0, 1.0]], [0, 0]))
      0.5
    """
    logits, labels = _checked(logits, labels)
    return jnp.mean(jnp.argmax(logits, axis=1) == labels)


@_compiled
def nll(logits, labels) -> jax.Array:
    """Mean negative log-likelihood of the labels, in nats.

    -1/N sum_i log softmax(logits_i)[label_i]

    Args:
      logits: [N, C], floating.
      labels: [N], integers in [0, C).

    Returns:
      A float32 scalar, >= 0; log C for a classifier that knows nothing.

    Raises:
      ValueError: shapes that do not fit, or a label outside of [0, C).
      TypeError: labels that are not integers.

    Example:
      >>> round(float(nll([[0.0, 0.0]], [1])), 4)
      0.6931
    """
    logits, labels = _checked(logits, labels)
    log_probs = jax.nn.log_softmax(logits, axis=1)
    return -jnp.mean(jnp.take_along_axis(log_probs, labels[:, None], axis=1))


@_compiled
def brier(logits, labels) -> jax.Array:
    """Brier score: squared error of the probabilities, summed over the classes.

    1/N sum_i sum_c (softmax(logits_i)[c] - [c = label_i])^2

    Some libraries take the mean over classes; theirs is this one divided by C.

    Args:
      logits: [N, C], floating.
      labels: [N], integers in [0, C).

    Returns:
      A float32 scalar in [0, 2]; 0 is best, 1 - 1/C knows nothing.

    Raises:
      ValueError: shapes that do not fit, or a label outside of [0, C).
      TypeError: labels that are not integers.

    Example:
      >>> float(brier([[0.0, 0.0]], [1]))
      0.5

    References:
      Brier 1950, Monthly Weather Review 78:1, eq. 2.
    """
    logits, labels = _checked(logits, labels)
    probs = jax.nn.softmax(logits, axis=1)
    return jnp.mean(
        jnp.sum(jnp.square(probs - jax.nn.one_hot(labels, logits.shape[1])), axis=1)
    )


@_compiled
def reliability(logits, labels, bins: int = 15) -> Reliability:
    """Confidence, accuracy and count per bin of top-label confidence.

    Bin b holds the examples whose largest probability lies in
    [b/bins, (b+1)/bins); the last bin also holds those at exactly 1. The edges are
    the float32 numbers nearest to b/bins.

    Args:
      logits: [N, C], floating.
      labels: [N], integers in [0, C).
      bins: number of equal-width bins of [0, 1], >= 1.

    Returns:
      A `Reliability` of three [bins] arrays; the counts sum to N.

    Raises:
      ValueError: shapes that do not fit, a label outside of [0, C), or `bins` below 1.
      TypeError: labels or `bins` that are not integers.

    Example:
      >>> reliability([[0.0, 0.0], [99.0, 0.0]], [0, 0], bins=2).count.tolist()
      [0, 2]

    References:
      Guo et al. 2017, ICML, section 2.
    """
    logits, labels = _checked(logits, labels)
    probs = jax.nn.softmax(logits, axis=1)
    top = jnp.max(probs, axis=1)
    correct = jnp.argmax(logits, axis=1) == labels
    # In float32 linspace misses some of them by an ulp.
    edges = jnp.asarray(np.arange(1, bins) / bins, jnp.float32)
    index = jnp.searchsorted(edges, top, side="right")
    # Masked sums, not a scatter: the order of additions is fixed on every device.
    inside = index[:, None] == jnp.arange(bins)[None, :]

    def per_bin(values):
        return jnp.sum(jnp.where(inside, values[:, None], 0.0), axis=0)

    count = jnp.sum(inside, axis=0)
    safe = jnp.maximum(count, 1).astype(jnp.float32)
    right = per_bin(correct.astype(jnp.float32))
    return Reliability(per_bin(top) / safe, right / safe, count)


@_compiled
def ece(logits, labels, bins: int = 15) -> jax.Array:
    """Expected calibration error of the top label, l1 norm, equal-width bins.

    sum_b count_b / N * |accuracy_b - confidence_b|

    This is torchmetrics' `MulticlassCalibrationError(n_bins=bins, norm="l1")` with
    one difference, on ties: a confidence on an inner edge falls into the upper bin
    in both, but torchmetrics 1.9 gives confidences of exactly 1 a bin of their own,
    and here they belong to the last bin. Where none rounds to 1 the two agree;
    otherwise this value is equal or smaller.

    Args:
      logits: [N, C], floating.
      labels: [N], integers in [0, C).
      bins: number of equal-width bins of [0, 1], >= 1.

    Returns:
      A float32 scalar in [0, 1].

    Raises:
      ValueError: shapes that do not fit, a label outside of [0, C), or `bins` below 1.
      TypeError: labels or `bins` that are not integers.

    Example:
      >>> float(ece([[0.0, 0.0], [0.0, 0.0]], [0, 1]))
      0.0

    References:
      Naeini et al. 2015, AAAI; Guo et al. 2017, ICML, eq. 3.
    """
    found = reliability(logits, labels, bins)
    gap, count = jnp.abs(found.accuracy - found.confidence), found.count
    total = jnp.sum(gap * count.astype(jnp.float32))
    return total / jnp.sum(count).astype(jnp.float32)


@_compiled
def adaptive_ece(logits, labels, bins: int = 15) -> jax.Array:
    """Expected calibration error of the top label in bins of equal counts.

    A confident network leaves most bins of equal width empty; here the examples,
    sorted by confidence, fill each bin alike: that of rank r lies in bin
    floor(r * bins / N). Of equal confidences each counts with the share that is right.

    Args:
      logits: [N, C], floating.
      labels: [N], integers in [0, C).
      bins: number of bins, >= 1.

    Returns:
      A float32 scalar in [0, 1].

    Raises:
      ValueError: shapes that do not fit, a label outside of [0, C), or `bins` below 1.
      TypeError: labels or `bins` that are not integers.

    Example:
      >>> float(adaptive_ece([[0.0, 0.0], [0.0, 0.0]], [0, 1], bins=1))
      0.0

    References:
      Nguyen, O'Connor 2015, Posterior calibration and exploratory analysis for natural
      language processing models, EMNLP, section 3; Nixon et al. 2019, Measuring
      calibration in deep learning, CVPR workshops, section 3.
    """
    logits, labels = _checked(logits, labels)
    count = len(labels)
    top = jnp.max(jax.nn.softmax(logits, axis=1), axis=1)
    order = jnp.argsort(top)
    top, correct = top[order], (jnp.argmax(logits, axis=1) == labels)[order]
    # How many are right up to each rank: whole numbers, exact in any order of sums.
    right = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(correct)])
    first = jnp.searchsorted(top, top, side="left")
    last = jnp.searchsorted(top, top, side="right")
    ties = (last - first).astype(jnp.float32)
    share = (right[last] - right[first]).astype(jnp.float32) / ties
    bin_of = np.arange(count) * bins // count
    inside = bin_of[:, None] == np.arange(bins)
    sums = jnp.sum(jnp.where(inside, (top - share)[:, None], 0.0), axis=0)
    return jnp.sum(jnp.abs(sums)) / count


@_compiled
def summary(logits, labels) -> dict[str, jax.Array]:
    """The four scalars that every run reports.

    Args:
      logits: [N, C], floating.
      labels: [N], integers in [0, C).

    Returns:
      `{"accuracy", "nll", "ece", "brier"}`, float32 scalars; `ece` in 15 bins.

    Raises:
      ValueError: shapes that do not fit, or a label outside of [0, C).
      TypeError: labels that are not integers.

    Example:
      >>> sorted(summary([[0.0, 0.0]], [0]))
      ['accuracy', 'brier', 'ece', 'nll']
    """
    return {
        "accuracy": accuracy(logits, labels),
        "nll": nll(logits, labels),
        "ece": ece(logits, labels),
        "brier": brier(logits, labels),
    }


@_compiled
def evaluation(logits, labels) -> Evaluation:
    """`summary` and `reliability` of the same logits, in one program.

    Args:
      logits: [N, C], floating.
      labels: [N], integers in [0, C).

    Raises:
      ValueError: shapes that do not fit, or a label outside of [0, C).
      TypeError: labels that are not integers.

    Example:
      >>> found = evaluation([[2.0, 0.0], [0.0, 1.0]], [0, 0])
      >>> float(found.summary["accuracy"]), found.reliability.count.sum().item()
      (0.5, 2)
    """
    return Evaluation(summary(logits, labels), reliability(logits, labels))
