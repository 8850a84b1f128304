# SPDX-License-Identifier: Apache-2.0
"""The transforms that come with the package, entered in the registry.

The examples are chosen so that a few tens of thousands of draws tell them apart: light
tails, and blocks that overlap on a map of 2 x 3.
"""

import jax
import numpy as np

from dropout_jax.transforms.additive import gaussian_noise, gaussian_noise_moments
from dropout_jax.transforms.alpha import alpha_dropout, alpha_dropout_moments
from dropout_jax.transforms.bernoulli import dropout, dropout_moments
from dropout_jax.transforms.concrete import concrete_dropout, concrete_dropout_moments
from dropout_jax.transforms.dropblock import dropblock, dropblock_moments
from dropout_jax.transforms.dropconnect import (
    dropconnect_dense,
    dropconnect_dense_moments,
    weight_drop,
)
from dropout_jax.transforms.gaussian import gaussian_dropout, gaussian_dropout_moments
from dropout_jax.transforms.kl import kl_bernoulli, kl_gaussian, kl_log_uniform
from dropout_jax.transforms.logit_normal import (
    logit_normal_dropout,
    logit_normal_dropout_moments,
)
from dropout_jax.transforms.lognormal import (
    lognormal_dropout,
    lognormal_dropout_moments,
)
from dropout_jax.transforms.registry import Example, Learned, Transform, register
from dropout_jax.transforms.structured import (
    drop_path,
    drop_path_moments,
    spatial_dropout,
    spatial_dropout_moments,
)
from dropout_jax.transforms.variational import (
    variational_dropout,
    variational_dropout_moments,
)
from dropout_jax.transforms.variational_conv import (
    variational_conv,
    variational_conv_moments,
)
from dropout_jax.transforms.variational_dense import (
    variational_dense,
    variational_dense_moments,
)
from dropout_jax.transforms.weight_noise import weight_log_alpha
from dropout_jax.transforms.zoneout import zoneout, zoneout_moments

# NumPy, because a JAX array would start the backend at import.
_KERNEL = np.array([[0.5, -1.0, 0.8], [1.2, 0.3, -0.6], [-0.4, 0.9, 1.1]], "float32")
_PREVIOUS = np.zeros(())  # the tests put a state of the shape of x in its place
_SAMPLINGS = ("local", "weight", "separate")


def _kl_logit_normal(mu: jax.Array, log_sigma: jax.Array) -> jax.Array:
    # The sigmoid is a bijection, so the KL of the factors is that of the logits.
    return kl_gaussian(mu, log_sigma, 0.0, 0.0)


def _kl_weights(
    log_sigma2: jax.Array, *, kernel: jax.Array, method: str = "exact"
) -> jax.Array:
    return kl_log_uniform(weight_log_alpha(kernel, log_sigma2), method)


register(
    Transform(
        name="dropout",
        apply=dropout,
        moments=dropout_moments,
        summary="each unit is dropped with probability rate, the rest rescaled",
        reference="Srivastava et al. 2014, JMLR 15, section 4",
        examples=(
            Example((0.1,)),
            Example((0.5,)),
            Example((0.8,)),
            Example((0.3,), {"scaling": "test"}),
        ),
    )
)
register(
    Transform(
        name="spatial_dropout",
        apply=spatial_dropout,
        moments=spatial_dropout_moments,
        summary="each channel of each sample is dropped as a whole",
        reference="Tompson et al. 2015, CVPR, section 3.2",
        examples=(
            Example((0.3,)),
            Example((0.5,), {"channel_axis": 1}),
            Example((0.3,), {"scaling": "test"}),
        ),
    )
)
register(
    Transform(
        name="drop_path",
        apply=drop_path,
        moments=drop_path_moments,
        summary="each sample is dropped as a whole: stochastic depth",
        reference="Huang et al. 2016, ECCV, section 3",
        examples=(Example((0.5,)), Example((0.3,), {"scaling": "test"})),
    )
)
register(
    Transform(
        name="dropblock",
        apply=dropblock,
        moments=dropblock_moments,
        summary="square blocks of a map are dropped, a share `rate` of it on average",
        reference="Ghiasi, Lin, Le 2018, NeurIPS, section 3",
        examples=(
            Example((0.4,), {"block_size": 2, "axes": (1,)}),
            Example((0.3,), {"block_size": 2}),
            Example((0.3,), {"block_size": 2, "seed_rate": "paper"}),
        ),
    )
)
register(
    Transform(
        name="gaussian_dropout",
        apply=gaussian_dropout,
        moments=gaussian_dropout_moments,
        summary="each unit is multiplied by N(1, rate / (1 - rate))",
        reference="Srivastava et al. 2014, JMLR 15, section 10",
        examples=(Example((0.1,)), Example((0.5,)), Example((0.8,))),
    )
)
register(
    Transform(
        name="lognormal_dropout",
        apply=lognormal_dropout,
        moments=lognormal_dropout_moments,
        summary="each unit is multiplied by a log-normal factor of mean 1",
        reference="Achille, Soatto 2018, IEEE TPAMI 40(12)",
        examples=(Example((0.05,)), Example((0.2,))),
    )
)
register(
    Transform(
        name="gaussian_noise",
        apply=gaussian_noise,
        moments=gaussian_noise_moments,
        strength="std",
        summary="N(0, std**2) is added to each unit",
        reference="Bishop 1995, Neural Computation 7(1)",
        examples=(Example((0.5,)),),
    )
)
register(
    Transform(
        name="alpha_dropout",
        apply=alpha_dropout,
        moments=alpha_dropout_moments,
        preserves="population",
        summary="units are set to SELU's saturation, mean 0 and variance 1 restored",
        reference="Klambauer et al. 2017, NeurIPS, section 2",
        examples=(Example((0.1,)), Example((0.5,))),
    )
)
register(
    Transform(
        name="variational_dropout",
        apply=variational_dropout,
        moments=variational_dropout_moments,
        learned=(Learned("log_alpha", -3.0),),
        kl=kl_log_uniform,
        summary="each unit is multiplied by N(1, alpha), alpha learned per unit",
        reference="Kingma, Salimans, Welling 2015, NeurIPS, section 3.2",
        examples=(
            Example((-3.0,)),
            Example((0.5,)),
            Example((1.0,), {"max_log_alpha": 0.0}),
        ),
    )
)
register(
    Transform(
        name="logit_normal_dropout",
        apply=logit_normal_dropout,
        moments=logit_normal_dropout_moments,
        learned=(Learned("mu", 2.0), Learned("log_sigma", -1.0)),
        kl=_kl_logit_normal,
        summary="each unit is multiplied by a soft mask sigmoid(N(mu, ...)), learned",
        reference="textbook section 9.4, equation 9.4.14",
        examples=(
            Example((2.0, -1.0)),
            Example((-1.0, 1.5)),
            Example((0.0, 0.0), {"rescale": False}),
        ),
    )
)
register(
    Transform(
        name="concrete_dropout",
        apply=concrete_dropout,
        moments=concrete_dropout_moments,
        learned=(Learned("logit_rate", -2.0),),
        kl=kl_bernoulli,
        summary="each unit is multiplied by a relaxed Bernoulli mask of learned rate",
        reference="Gal, Hron, Kendall 2017, NeurIPS, section 3",
        examples=(
            Example((-1.0,)),
            Example((1.0,), {"temperature": 2 / 3, "unbiased": False}),
            Example((0.5,), {"hard": True}),
        ),
    )
)
register(
    Transform(
        name="dropconnect_dense",
        apply=dropconnect_dense,
        moments=dropconnect_dense_moments,
        layer=False,
        preserves="none",
        summary="each weight of a dense layer is dropped with probability rate",
        reference="Wan et al. 2013, ICML, section 3.1",
        examples=tuple(
            Example((0.3,), {"kernel": _KERNEL, "sampling": sampling})
            for sampling in _SAMPLINGS
        ),
    )
)
register(
    Transform(
        name="weight_drop",
        apply=weight_drop,
        moments=dropout_moments,
        summary="dropout of a weight array, before a layer uses it",
        reference="Merity, Keskar, Socher 2018, ICLR, section 2",
        examples=(Example((0.5,)), Example((0.3,), {"scaling": "test"})),
    )
)
register(
    Transform(
        name="variational_dense",
        apply=variational_dense,
        moments=variational_dense_moments,
        layer=False,
        learned=(Learned("log_sigma2", -8.0),),
        kl=_kl_weights,
        preserves="none",
        summary="a dense layer with learned normal noise on every weight",
        reference="Molchanov, Ashukha, Vetrov 2017, ICML, section 4",
        examples=tuple(
            Example((-1.0,), {"kernel": _KERNEL, "sampling": sampling})
            for sampling in _SAMPLINGS
        ),
    )
)
register(
    Transform(
        name="variational_conv",
        apply=variational_conv,
        moments=variational_conv_moments,
        layer=False,
        learned=(Learned("log_sigma2", -8.0),),
        kl=_kl_weights,
        preserves="none",
        summary="a convolution with learned normal noise on every weight",
        reference="Molchanov, Ashukha, Vetrov 2017, ICML, section 4",
        examples=tuple(
            Example(
                (-1.0,),
                {"kernel": np.stack([_KERNEL] * 2)[None], "sampling": sampling},
            )
            for sampling in _SAMPLINGS
        ),
    )
)
register(
    Transform(
        name="zoneout",
        apply=zoneout,
        moments=zoneout_moments,
        layer=False,
        preserves="none",
        summary="each unit keeps its previous value with probability rate",
        reference="Krueger et al. 2017, ICLR, section 3",
        examples=(Example((0.3,), {"previous": _PREVIOUS}),),
    )
)
