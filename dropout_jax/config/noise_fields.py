# SPDX-License-Identifier: Apache-2.0
"""The configuration fields of the noise, and the kinds of noise there are."""

from dropout_jax.config.field import Field

FIXED_RATE_KINDS = (
    "dropout",
    "spatial_dropout",
    "drop_path",
    "dropblock",
    "gaussian_dropout",
    "lognormal_dropout",
    "gaussian_noise",
    "alpha_dropout",
    "dropconnect_dense",
    "zoneout",
    "weight_drop",
)
LEARNED_KINDS = (
    "variational_dropout",
    "logit_normal_dropout",
    "concrete_dropout",
    "variational_dense",
    "variational_conv",
)
NOISE_KINDS = (*FIXED_RATE_KINDS, *LEARNED_KINDS)

# Kinds that multiply each unit by a factor of mean 1, and so can act anywhere.
UNIT_KINDS = (
    "dropout",
    "gaussian_dropout",
    "lognormal_dropout",
    "variational_dropout",
    "logit_normal_dropout",
    "concrete_dropout",
)
# Kinds that act on each unit, but not as a factor of mean 1.
ADDING_KINDS = ("gaussian_noise", "alpha_dropout")
# Kinds that act inside the recurrence of an rnn alone.
INNER_KINDS = ("zoneout", "weight_drop")
# Kinds that act on the weights behind a site instead of the site.
WEIGHT_KINDS = ("dropconnect_dense", "variational_dense", "variational_conv")
# Those that do not fit every model.
MODELS_OF_KIND = {
    "drop_path": ("mlp",),
    "dropblock": ("cnn",),
    "spatial_dropout": ("cnn",),
    "dropconnect_dense": ("mlp", "cnn"),
    "variational_dense": ("mlp", "cnn", "rnn"),
    "variational_conv": ("cnn",),
    "zoneout": ("rnn",),
    "weight_drop": ("rnn",),
}

_PROBABILITY = ", at most 1 unless config.noise.kind=gaussian_noise"
# Schedules that noise.schedule_epochs sets the pace of.
_PACED = ("linear", "early", "late", "curriculum", "annealed")


def _kinds(*names: str) -> tuple[str, tuple[str, ...]]:
    return "noise.kind", names


_FIXED = _kinds(*FIXED_RATE_KINDS)
_LEARNED = _kinds(*LEARNED_KINDS)
_CONCRETE = _kinds("concrete_dropout")
_VARIATIONAL = _kinds("variational_dropout")
_SPARSE = _kinds("variational_dense", "variational_conv")
_LOG_UNIFORM = _kinds("variational_dropout", "variational_dense", "variational_conv")
_AT_INPUT = _kinds(
    "dropout",
    "gaussian_dropout",
    "lognormal_dropout",
    *ADDING_KINDS,
    "dropblock",
    "dropconnect_dense",
)
# Zoneout is evaluated at its rate, so that the rate must not move.
_SCHEDULED = _kinds(*(kind for kind in FIXED_RATE_KINDS if kind != "zoneout"))
_LEARNED_UNITS = _kinds(*(kind for kind in LEARNED_KINDS if kind in UNIT_KINDS))

NOISE_FIELDS = (
    Field(
        "noise.kind",
        "none",
        "The noise: a transform's name, or none.",
        choices=("none", *NOISE_KINDS),
        extensible=True,
        others=(
            ("bernoulli", "dropout"),
            ("gaussian", "gaussian_dropout (a factor) or gaussian_noise (added)"),
            ("variational", "variational_dropout, or noise.sharing=tied"),
            ("dropconnect", "dropconnect_dense"),
            ("stochastic_depth", "drop_path"),
        ),
    ),
    Field(
        "noise.input_rate",
        0.0,
        "Probability of dropping an input of the network, or for dropconnect_dense in "
        "an mlp a weight of the first layer; below 1 for gaussian_dropout and "
        "lognormal_dropout. For gaussian_noise, its standard deviation.",
        "[0, inf)",
        _PROBABILITY,
        only_with=_AT_INPUT,
    ),
    Field(
        "noise.rates",
        (),
        "Probability of dropping a unit: one value for all sites or one per site "
        "(a hidden layer; a block, then a head layer; a recurrent layer); "
        "for dropconnect_dense, of dropping a weight, one per dense layer but the "
        "first of an mlp, whose is noise.input_rate; below 1 "
        "for gaussian_dropout and lognormal_dropout. For gaussian_noise, its standard "
        "deviation. For drop_path, one value is that of the last layer, to which the "
        "rates rise linearly.",
        "[0, inf)",
        _PROBABILITY,
        only_with=_FIXED,
        example=(0.5,),
    ),
    Field(
        "noise.sharing",
        "element",
        "What shares one draw: element (nothing), spatial (the pixels of a channel; "
        "cnn), tied (the steps of a sequence; rnn).",
        choices=("element", "spatial", "tied"),
        only_with=_kinds(*UNIT_KINDS, *ADDING_KINDS),
    ),
    Field(
        "noise.schedule",
        "constant",
        "Course of all rates: piecewise (steps), linear (rises from 0), early (falls "
        "to 0), late (0 at first), curriculum (nears its value), annealed (fades).",
        choices=("constant", "piecewise", *_PACED),
        only_with=_SCHEDULED,
    ),
    Field(
        "noise.schedule_epochs",
        1.0,
        "Epochs that the rise or fall takes; before late noise begins; or in which "
        "curriculum and annealed go 63 % of their way.",
        "(0, inf)",
        only_with=("noise.schedule", _PACED),
    ),
    Field(
        "noise.piecewise_epochs",
        (),
        "Epochs at whose end the next of noise.piecewise_factors holds; increasing, "
        "inside the run.",
        "(0, inf)",
        only_with=("noise.schedule", ("piecewise",)),
        example=(5.0, 10.0),
    ),
    Field(
        "noise.piecewise_factors",
        (),
        "What multiplies all rates in each stretch of the run, one more than "
        "noise.piecewise_epochs.",
        "[0, 1]",
        only_with=("noise.schedule", ("piecewise",)),
        example=(1.0, 0.5, 0.0),
    ),
    Field(
        "noise.block",
        3,
        "Side of a dropped block in pixels, at most that of the feature map; the "
        "dense head gets dropout.",
        "[1, 28]",
        only_with=_kinds("dropblock"),
    ),
    Field(
        "noise.seed_rate",
        "exact",
        "Where blocks begin: exact (as many as drop the asked share), paper (the "
        "formula of the paper, which drops less).",
        choices=("exact", "paper"),
        only_with=_kinds("dropblock"),
    ),
    Field(
        "noise.sampling",
        "auto",
        "How noise on weights is drawn: weight (once per batch), separate (once per "
        "image), local (at the output); auto: weight for dropconnect_dense and in the "
        "time loop of an rnn, else local.",
        choices=("auto", "weight", "separate", "local"),
        only_with=_kinds(*WEIGHT_KINDS),
    ),
    Field(
        "noise.threshold",
        0.0,
        "Weights whose log alpha is at least this count as 0 in evaluation; 0: all "
        "are kept.",
        "[0, 8]",
        only_with=_SPARSE,
    ),
    Field(
        "noise.learned_input",
        True,
        "Learned noise on the network's inputs too, not only on its layers.",
        only_with=_LEARNED_UNITS,
    ),
    Field(
        "noise.kl_weight",
        1.0,
        "Factor of the KL term (which is divided by the number of training images).",
        "[0, inf)",
        only_with=_LEARNED,
    ),
    Field(
        "noise.kl_warmup_epochs",
        5.0,
        "Epochs over which the KL factor rises linearly from 0; in a run shorter "
        "than this it does not reach noise.kl_weight.",
        "[0, inf)",
        only_with=_LEARNED,
    ),
    Field(
        "noise.log_alpha_init",
        -3.0,
        "Initial log of the noise variance alpha.",
        "[-20, 20]",
        only_with=_VARIATIONAL,
    ),
    Field(
        "noise.rate_init",
        0.1,
        "Initial probability of dropping a unit, which training then moves.",
        "(0, 1)",
        only_with=_CONCRETE,
    ),
    Field(
        "noise.temperature",
        0.1,
        "Softness of the mask.",
        "[0.01, 10]",
        only_with=_CONCRETE,
    ),
    Field(
        "noise.hard",
        False,
        "Round the mask to 0 or 1; the gradient stays that of the soft one.",
        only_with=_CONCRETE,
    ),
    Field(
        "noise.unbiased",
        True,
        "Divide the mask by its mean; false: by 1 - rate, as the paper does.",
        only_with=_CONCRETE,
    ),
    Field(
        "noise.length_scale",
        0.01,
        "Inverse standard deviation of the prior on the weights behind the noise; "
        "large values keep the rates down, 0 leaves the weights out of the KL.",
        "[0, inf)",
        only_with=_CONCRETE,
    ),
    Field(
        "noise.learning_rate_multiplier",
        30.0,
        "Learning rate of the noise's own parameters relative to the weights'.",
        "(0, 10000]",
        only_with=_LEARNED,
    ),
    Field(
        "noise.max_alpha",
        0.0,
        "Upper bound of alpha; 0: unbounded, 1: the bound of Kingma et al. 2015.",
        "[0, inf)",
        only_with=_VARIATIONAL,
    ),
    Field(
        "noise.kl",
        "exact",
        "The KL to the log-uniform prior: exact, or a published approximation.",
        choices=("exact", "molchanov", "kingma"),
        only_with=_LOG_UNIFORM,
    ),
)
