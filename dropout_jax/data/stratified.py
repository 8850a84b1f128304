# SPDX-License-Identifier: Apache-2.0
"""Some images of a data set: of a user's own, drawn so that each class has its share.

The files of a user may be sorted by class: their last tenth, or their first n images,
may be of one class alone.
"""

import numpy as np

from dropout_jax.data.dataset import Dataset, Part
from dropout_jax.data.drawn import permutation

# What a run records of how its images were chosen; another way has another name.
RULE = "drawn by seed 0, stratified"


def order(labels: np.ndarray, purpose: str) -> np.ndarray:
    """Returns an order of examples of which any head has the classes in their shares.

    Examples are permuted (`drawn.permutation`, number 0). The i-th of the m examples of
    a class, counted from 0, then stands at (i + 1/2) / m; of equal places, that of the
    permutation decides. The order is the same for ever, and heads of it are nested.

    Args:
        labels: integers [n].
        purpose: What is drawn; others give independent orders.

    Returns:
        int64 [n], places in `labels`.

    Example:
        >>> labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1])
        >>> labels[order(labels, "doctest")].tolist()
        [0, 1, 0, 0, 1, 0, 0, 1, 0]
    """
    shuffled = permutation(purpose, 0, len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        of = np.flatnonzero(labels[shuffled] == label)
        place[of] = (np.arange(len(of)) + 0.5) / len(of)
    return shuffled[np.argsort(place, kind="stable")]


def split(part: Part, size: int) -> tuple[Part, Part]:
    """Returns a part without `size` examples, and these: drawn, in the order given."""
    found = order(part.labels, "own validation")
    return part.at(np.sort(found[:-size])), part.at(np.sort(found[-size:]))


def some(data: Dataset, split: str, size: int) -> Part:
    """Returns `size` examples of a split, or all if it has no more.

    Args:
        data: A data set.
        split: "train" or "validation".
        size: How many.

    Returns:
        Of a user's own data those that are drawn, fewer being among more; of the data
        sets that have a name here the first ones. In the order of the split.

    Example:
        >>> from dropout_jax.data import load
        >>> some(load("synthetic"), "train", 3).labels.tolist()
        [0, 1, 2]
    """
    part: Part = data.part(split)
    if size >= len(part.labels):
        return part
    if not data.own:
        return part.rows(None, size)
    return part.at(np.sort(order(part.labels, f"own {split} size")[:size]))
