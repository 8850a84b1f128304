# SPDX-License-Identifier: Apache-2.0
"""The table of configuration fields: the one place that says what can be set.

Defaults, validation, --help and docs/config.md are all made from it.
"""

from ml_collections import ConfigDict

from dropout_jax.config.field import Field
from dropout_jax.config.noise_fields import NOISE_FIELDS

_CNN = ("model.name", ("cnn",))
_RNN = ("model.name", ("rnn",))
_STEP = ("optimizer.schedule", ("step",))
_MOST = 2**31 - 1  # of images
# The data sets of this package by name: number of training and of validation images.
DATA_SETS = {"fashion_mnist": (55_000, 5_000), "synthetic": (512, 128)}
# Part of the id of published trials: it stays. Of other data it means all at most.
DEFAULT_TRAIN_SIZE = DATA_SETS["fashion_mnist"][0]

FIELDS = (
    Field(
        "seed",
        0,
        "All randomness of the run; the same seed gives the same numbers, and the "
        "same initial weights and batches for every method.",
        "[0, 4294967295]",
    ),
    Field(
        "plugin",
        "",
        "Python file or module imported before the model is built, which registers "
        "models or transforms of your own.",
    ),
    # --- data -----------------------------------------------------------------
    Field(
        "data.name",
        "fashion_mnist",
        "fashion_mnist, synthetic (made-up images for tests), or the path of your own "
        "data: an .npz file or a directory of IDX files (docs/data.md).",
    ),
    Field(
        "data.source_dir",
        "",
        "Directory with the four Fashion-MNIST IDX files, looked at before every "
        "other source; empty: installed package, then download.",
        only_with=("data.name", ("fashion_mnist",)),
        identity=False,
    ),
    Field(
        "data.train_size",
        DEFAULT_TRAIN_SIZE,
        "Train on n training images: of Fashion-MNIST the first n, of your own data n "
        "that are drawn, each class in its share. 0: on all; 55000: on all where there "
        "are no more. With data.split=drawn: on exactly n; 0: on all that do not "
        "validate. The test set stays whole.",
        f"[0, {_MOST}]",
    ),
    Field(
        "data.validation_size",
        0,
        "Validate on n images, chosen as for data.train_size; 0: on as many as the "
        "data set's own validation set has.",
        f"[0, {_MOST}]",
    ),
    Field(
        "data.split",
        "given",
        "given: the training and validation set that the data set has (of your own "
        "data without one, a tenth of the training images, drawn once); drawn: each "
        "seed draws its own from all images that are not test images, disjoint "
        "training sets where data.train_size allows it (docs/data.md).",
        choices=("given", "drawn"),
    ),
    Field(
        "data.shift",
        0,
        "Augmentation: shift each training image by up to this many pixels.",
        "[0, 8]",
    ),
    Field(
        "data.flip",
        False,
        "Augmentation: mirror each training image left to right half the time.",
    ),
    # --- model ----------------------------------------------------------------
    Field(
        "model.name",
        "mlp",
        "The network.",
        choices=("mlp", "cnn", "rnn"),
        extensible=True,
        others=(
            ("lstm", "rnn with config.model.cell=lstm"),
            ("gru", "rnn with config.model.cell=gru"),
        ),
    ),
    Field(
        "model.widths",
        (256, 256),
        "Units of the hidden layers (mlp), of the dense head (cnn), or of the "
        "recurrent layers (rnn).",
        "[1, 65536]",
    ),
    Field(
        "model.activation",
        "relu",
        "After each hidden layer; selu goes with alpha_dropout.",
        choices=("relu", "selu"),
        only_with=("model.name", ("mlp", "cnn")),
    ),
    Field(
        "model.residual",
        False,
        "Hidden layers of equal widths add their output to their input.",
        only_with=("model.name", ("mlp",)),
    ),
    Field(
        "model.channels",
        (32, 64),
        "Channels of the convolution-pooling blocks, one entry per block.",
        "[1, 4096]",
        only_with=_CNN,
    ),
    Field(
        "model.kernel_size",
        3,
        "Side of the square kernels in pixels, odd.",
        "[1, 7]",
        only_with=_CNN,
    ),
    Field(
        "model.convs_per_block",
        1,
        "Convolutions before each pooling.",
        "[1, 4]",
        only_with=_CNN,
    ),
    Field(
        "model.batch_norm",
        False,
        "Batch normalisation after each convolution.",
        only_with=_CNN,
    ),
    Field(
        "model.cell",
        "lstm",
        "The recurrent cell.",
        choices=("lstm", "gru"),
        only_with=_RNN,
    ),
    Field(
        "model.recurrent_noise",
        "auto",
        "Where noise acts inside the recurrence: none, state (what is fed back), "
        "candidate (what a step adds to its memory); auto: state if noise.sharing is "
        "tied, else none.",
        choices=("auto", "none", "state", "candidate"),
        only_with=_RNN,
    ),
    *NOISE_FIELDS,
    # --- regularizer ----------------------------------------------------------
    Field(
        "regularizer.weight_decay",
        0.0,
        "Decoupled weight decay: each step shrinks the weights by learning rate "
        "times this.",
        "[0, inf)",
    ),
    Field(
        "regularizer.l2",
        0.0,
        "Penalty in the loss: half this times the squared norm of the weights.",
        "[0, inf)",
    ),
    Field(
        "regularizer.max_norm",
        0.0,
        "Bound on the norm of each unit's incoming weights; 0: off.",
        "[0, inf)",
    ),
    Field(
        "regularizer.label_smoothing",
        0.0,
        "Share of the target spread evenly over the classes.",
        "[0, 1)",
    ),
    # --- optimizer ------------------------------------------------------------
    Field(
        "optimizer.name",
        "adamw",
        "The update rule.",
        choices=("adamw", "sgd", "momentum", "nesterov"),
        others=(
            ("adam", "adamw, which is Adam with config.regularizer.weight_decay=0"),
        ),
    ),
    Field("optimizer.learning_rate", 1e-3, "Peak learning rate.", "(0, 10]"),
    Field(
        "optimizer.momentum",
        0.9,
        "Decay of the velocity.",
        "[0, 1)",
        only_with=("optimizer.name", ("momentum", "nesterov")),
    ),
    Field(
        "optimizer.schedule",
        "cosine",
        "Course of the learning rate after the warm-up.",
        choices=("constant", "cosine", "step"),
    ),
    Field(
        "optimizer.warmup_epochs",
        0.0,
        "Epochs of linear warm-up from 0; below train.epochs.",
        "[0, inf)",
    ),
    Field(
        "optimizer.step_epochs",
        (),
        "Epochs at whose end the learning rate is multiplied by "
        "optimizer.step_factor; increasing, inside the run.",
        "(0, inf)",
        only_with=_STEP,
        example=(10.0, 15.0),
    ),
    Field(
        "optimizer.step_factor", 0.1, "Factor of each step.", "(0, 1)", only_with=_STEP
    ),
    Field(
        "optimizer.clip_norm",
        0.0,
        "Bound on the norm of the whole gradient; 0: off.",
        "[0, inf)",
    ),
    # --- train ----------------------------------------------------------------
    Field("train.epochs", 20, "Passes over the training images.", "[1, 10000]"),
    Field(
        "train.batch_size",
        128,
        "Images per step; at most as many as there are training images.",
        f"[1, {_MOST}]",
    ),
    Field(
        "train.validations",
        0,
        "Number of validations, closer together at first, the last one at the end; at "
        "most train.epochs. 0: one after every epoch. Metrics, kept parameters and "
        "pruning are of validated epochs.",
        "[0, 10000]",
    ),
    Field(
        "train.devices",
        1,
        "Local devices that share each batch; train.batch_size is a multiple of it. "
        "The same masks and, up to rounding, the same numbers for any.",
        "[1, 1024]",
        identity=False,
    ),
    Field(
        "train.keep",
        "best",
        "Which of the tested parameters a result reports first: best_accuracy or last.",
        choices=("best", "last"),
    ),
    Field(
        "train.checkpoint_seconds",
        20.0,
        "Least time between two checkpoints, in seconds.",
        "[0, 86400]",
        identity=False,
    ),
)

BY_PATH = {field.path: field for field in FIELDS}
GROUPS = tuple(dict.fromkeys(p.split(".")[0] for p in BY_PATH if "." in p))


def defaults() -> ConfigDict:
    """A complete configuration: the MLP without noise.

    Returns:
      A locked ConfigDict, so that a misspelt field is an error and not a new field.

    Example:
      >>> config = defaults()
      >>> config.noise.kind, config.noise.rates = "dropout", (0.5,)
    """
    config: dict = {}
    for field in FIELDS:
        *group, name = field.path.split(".")
        place = config.setdefault(group[0], {}) if group else config
        place[name] = field.default
    return ConfigDict(config).lock()
