# SPDX-License-Identifier: Apache-2.0
"""What stands beside an axis: the field's name in words, with its unit."""

_LABELS = {
    "noise.rates": "rate (probability of dropping)",
    "noise.input_rate": "rate of the input (probability of dropping)",
    "noise.kl_weight": "weight of the KL",
    "regularizer.weight_decay": "weight decay (per step, times learning rate)",
    "regularizer.l2": "L2 penalty",
    "regularizer.max_norm": "largest norm of a unit's weights",
    "regularizer.label_smoothing": "label smoothing (probability)",
    "optimizer.learning_rate": "learning rate",
    "data.train_size": "training images",
    "model.widths": "units of the hidden layers",
    "train.epochs": "epochs",
    "train.batch_size": "images in a batch",
}


# What the same field means for other kinds of noise.
_QUANTITIES = {
    "gaussian_noise": "standard deviation",
    "zoneout": "rate (probability of keeping the state)",
    "dropconnect_dense": "rate (probability of dropping a weight)",
    "weight_drop": "rate (probability of dropping a weight)",
}


def label(knob: str, kind: str = "") -> str:
    """The label of a knob's axis; a field without one keeps its own name.

    Args:
      knob: dotted path of the field.
      kind: of the noise, on which the quantity that a rate stands for depends.

    Example:
      >>> label("data.train_size"), label("noise.block_size")
      ('training images', 'noise.block_size')
      >>> label("noise.rates", "gaussian_noise")
      'standard deviation'
    """
    if kind in _QUANTITIES and knob in ("noise.rates", "noise.input_rate"):
        at_input = " at the input" if knob == "noise.input_rate" else ""
        return _QUANTITIES[kind] + at_input
    return _LABELS.get(knob, knob)
