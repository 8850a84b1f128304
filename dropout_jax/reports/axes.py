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


def label(knob: str) -> str:
    """The label of a knob's axis; a field without one keeps its own name.

    Example:
      >>> label("data.train_size"), label("noise.block_size")
      ('training images', 'noise.block_size')
    """
    return _LABELS.get(knob, knob)
