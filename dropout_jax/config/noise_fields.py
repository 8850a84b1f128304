# SPDX-License-Identifier: Apache-2.0
"""The configuration fields of the noise, and the kinds of noise there are."""

from dropout_jax.config.field import Field

FIXED_RATE_KINDS = (
    "dropout",
    "spatial_dropout",
    "dropblock",
    "gaussian_dropout",
    "lognormal_dropout",
    "gaussian_noise",
    "alpha_dropout",
)
LEARNED_KINDS = ("variational_dropout", "logit_normal_dropout", "concrete_dropout")
NOISE_KINDS = (*FIXED_RATE_KINDS, *LEARNED_KINDS)

_FIXED = ("noise.kind", FIXED_RATE_KINDS)
_LEARNED = ("noise.kind", LEARNED_KINDS)
_VARIATIONAL = ("noise.kind", ("variational_dropout",))
_CONCRETE = ("noise.kind", ("concrete_dropout",))

NOISE_FIELDS = (
    Field(
        "noise.kind",
        "none",
        "The noise: a transform's name, or none.",
        choices=("none", *NOISE_KINDS),
        extensible=True,
    ),
    Field(
        "noise.input_rate",
        0.0,
        "Probability of dropping an input of the network; below 1 for "
        "gaussian_dropout and lognormal_dropout. For gaussian_noise, its standard "
        "deviation.",
        "[0, 1]",
        only_with=_FIXED,
    ),
    Field(
        "noise.rates",
        (),
        "Probability of dropping a unit: one value for all sites or one per site "
        "(a hidden layer; a block, then a head layer; a recurrent layer); below 1 "
        "for gaussian_dropout and lognormal_dropout. For gaussian_noise, its standard "
        "deviation.",
        "[0, 1]",
        only_with=_FIXED,
        example=(0.5,),
    ),
    Field(
        "noise.sharing",
        "element",
        "What shares one draw: element (nothing), spatial (the pixels of a channel; "
        "cnn), tied (the steps of a sequence; rnn).",
        choices=("element", "spatial", "tied"),
        only_with=("noise.kind", NOISE_KINDS),
    ),
    Field(
        "noise.block",
        3,
        "Side of a dropped block in pixels, at most that of the feature map; the "
        "dense head gets dropout.",
        "[1, 28]",
        only_with=("noise.kind", ("dropblock",)),
    ),
    Field(
        "noise.learned_input",
        True,
        "Learned noise on the network's inputs too, not only on its layers.",
        only_with=_LEARNED,
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
        only_with=_VARIATIONAL,
    ),
)
