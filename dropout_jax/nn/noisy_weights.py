# SPDX-License-Identifier: Apache-2.0
"""Noisy weights: layers in place of `nn.Dense` and of `Conv`, and kernels alone."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from flax.traverse_util import flatten_dict

from dropout_jax import transforms
from dropout_jax.config.noise_fields import WEIGHT_KINDS
from dropout_jax.nn.checks import check_sizes
from dropout_jax.nn.convolution import check_kernel, convolve, max_pool
from dropout_jax.nn.kl import sow_kl
from dropout_jax.nn.noise import PREFIX, NoiseConfig
from dropout_jax.nn.products import dot_general
from dropout_jax.nn.stochastic import deterministic_of, key_of, rate_of, refuse_bool
from dropout_jax.transforms import weight_noise


class _NoisyWeights(nn.Module, kw_only=True):
    """What the layers share: the noise of one kernel.

    Learned noise has one value per weight; its KL is sown into the collection `"kl"`.

    Attributes:
      noise: of a kind that acts on weights.
      deterministic: evaluation behavior; None where the call says it.
      rng_collection: name of the stream that the keys are drawn from.
    """

    noise: NoiseConfig
    deterministic: bool | None = None
    rng_collection: str = "dropout"

    def noisy(
        self,
        x: jax.Array,
        rate: Any,
        kernel: jax.Array,
        deterministic: bool | None,
        rng: jax.Array | None,
        **static: Any,
    ) -> jax.Array:
        """Returns the transform of `x` and `kernel`, with a key of this layer's own."""
        transform = transforms.get(self.noise.kind)
        parameters = self.learned(kernel) if transform.learned else [rate]
        key = key_of(self, rate, deterministic_of(self, deterministic), rng)
        return transform.apply(
            key,
            x,
            *parameters,
            kernel=kernel,
            deterministic=key is None,
            **static,
            **self.noise.options,
        )

    def learned(self, kernel: jax.Array) -> list[jax.Array]:
        """Returns the noise parameters, one value per weight; sows their KL."""
        transform = transforms.get(self.noise.kind)
        parameters = []
        for leaf in transform.learned:
            start = self.noise.initial.get(leaf.name, leaf.initial)
            initial = nn.initializers.constant(start)
            parameters.append(
                self.param(PREFIX + leaf.name, initial, kernel.shape, jnp.float32)
            )
        if transform.kl is not None:
            kl = transform.kl(*parameters, kernel=kernel, **self.noise.kl_options)
            sow_kl(self, jnp.sum(kl))
        return parameters


class NoisyDense(_NoisyWeights):
    """`nn.Dense` with a transform that draws noise for its kernel.

    Kernel and bias have the names and initial values of `nn.Dense`, so that the run
    without noise starts from the same weights.

    Attributes:
      features: number of outputs.
      noise: of kind `"dropconnect_dense"` or `"variational_dense"`.
      rate: probability of dropping a weight used where a call gives none.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> noise = NoiseConfig("dropconnect_dense")
      >>> layer = NoisyDense(3, noise=noise, name="dense")
      >>> variables = layer.init(jax.random.key(0), jnp.ones((2, 4)), 0.5,
      ...                        deterministic=True)
      >>> layer.apply(variables, jnp.ones((2, 4)), 0.5, deterministic=False,
      ...             rngs={"dropout": jax.random.key(1)}).shape
      (2, 3)
    """

    features: int
    rate: Any = None

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        rate: Any = None,
        *,
        deterministic: bool | None = None,
        rng: jax.Array | None = None,
    ) -> jax.Array:
        """Returns [..., features].

        Args:
          x: [..., inputs].
          rate: probability of dropping a weight, instead of the layer's own; ignored
            where noise is learned.
          deterministic: evaluation behaviour; static. Where the layer does not say it.
          rng: key, instead of one of the layer's stream.

        Raises:
          ValueError: there is no key or no rate, or `deterministic` is given to neither
            layer nor call or to both.
        """
        refuse_bool(rate)
        check_sizes(features=self.features)
        shape = (x.shape[-1], self.features)
        kernel = self.param(
            "kernel", nn.initializers.lecun_normal(), shape, jnp.float32
        )
        bias = self.param("bias", nn.initializers.zeros_init(), shape[1:], jnp.float32)
        x, kernel, bias = promote_dtype(x, kernel, bias)
        rate = rate_of(self, self.noise.kind, rate)
        y = self.noisy(x, rate, kernel, deterministic, rng)
        return y + bias.reshape((1,) * (y.ndim - 1) + bias.shape)


class NoisyConv(_NoisyWeights):
    """`dropout_jax.nn.convolution.Conv` with learned noise on its kernel.

    Kernel and bias have the names and initial values of `Conv`.

    Attributes:
      features: number of output channels.
      noise: of kind `"variational_conv"`.
      kernel_size: as for `Conv`.
      use_bias: as for `Conv`.
      pool: as for `Conv`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> noise = NoiseConfig("variational_conv")
      >>> layer = NoisyConv(3, 3, noise=noise, name="conv")
      >>> images = jnp.ones((2, 4, 4, 1))
      >>> variables = layer.init(jax.random.key(0), images, deterministic=True)
      >>> layer.apply(variables, images, deterministic=False,
      ...             rngs={"dropout": jax.random.key(1)}).shape
      (2, 4, 4, 3)
    """

    features: int
    kernel_size: int
    use_bias: bool = True
    pool: bool = False

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        *,
        deterministic: bool | None = None,
        rng: jax.Array | None = None,
    ) -> jax.Array:
        """Returns [batch, height, width, features]; halved with `pool`.

        Args:
          x: [batch, height, width, channels].
          deterministic: as for `NoisyDense`.
          rng: as for `NoisyDense`.

        Raises:
          ValueError: as `NoisyDense`.
        """
        check_kernel(self.kernel_size, self.features, self.use_bias, self.pool)
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape, jnp.float32)
        bias = None
        if self.use_bias:
            zeros = nn.initializers.zeros_init()
            bias = self.param("bias", zeros, shape[3:], jnp.float32)
        x, kernel, bias = promote_dtype(x, kernel, bias)
        y = self.noisy(x, None, kernel, deterministic, rng, convolve=convolve)
        y = max_pool(y) if self.pool else y
        return y if bias is None else y + bias.reshape(1, 1, 1, -1)


class NoisyKernel(_NoisyWeights):
    """A kernel with learned noise, for whoever multiplies by it himself, in a loop say.

    One draw holds for the whole batch and however often the kernel is used.

    Attributes:
      noise: of kind `"variational_dense"`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> noise = NoiseConfig("variational_dense")
      >>> layer, kernel = NoisyKernel(noise=noise, name="noise"), jnp.ones((4, 3))
      >>> variables = layer.init(jax.random.key(0), kernel, deterministic=True)
      >>> layer.apply(variables, kernel, deterministic=False,
      ...             rngs={"dropout": jax.random.key(1)}).shape
      (4, 3)
    """

    @nn.compact
    def __call__(
        self,
        kernel: jax.Array,
        *,
        deterministic: bool | None = None,
        rng: jax.Array | None = None,
    ) -> jax.Array:
        """Returns what stands in for `kernel`, [inputs, outputs].

        Args:
          kernel: the weights' means.
          deterministic: as for `NoisyDense`.
          rng: as for `NoisyDense`.

        Raises:
          ValueError: as `NoisyDense`.
        """
        (log_sigma2,) = self.learned(kernel)
        key = key_of(self, None, deterministic_of(self, deterministic), rng)
        if key is None:
            threshold = self.noise.options.get("threshold", math.inf)
            return transforms.sparse_kernel(kernel, log_sigma2, threshold)
        sample = weight_noise.sampler(key, kernel, log_sigma2)
        return sample(kernel.shape).astype(kernel.dtype)


def dense(
    name: str,
    features: int,
    noise: NoiseConfig,
    x: jax.Array,
    rate: Any,
    *,
    train: bool,
) -> jax.Array:
    """Returns what the layer `name` makes of `x`, its kernel noisy or not.

    Args:
      name: of the layer.
      features: number of outputs.
      noise: as a dense layer has it; acts here if it is of a kind for weights.
      x: [batch, inputs].
      rate: probability of dropping a weight; ignored where noise is learned.
      train: whether noise acts.
    """
    if noise.kind not in WEIGHT_KINDS:
        return nn.Dense(features, name=name, dot_general=dot_general)(x)
    layer = NoisyDense(features, noise=noise, name=name)
    return layer(x, rate, deterministic=not train)


def sparsity(params: Any, threshold: float = 3.0) -> dict[str, float]:
    """Returns the share of removable weights of every layer with learned noise.

    Args:
      params: parameters of a model with `NoisyDense`, `NoisyConv` or `NoisyKernel`.
      threshold: weights of log alpha at or above it count.

    Returns:
      By path of the layer; empty where no layer has learned noise on its weights.

    Example:
      >>> import jax.numpy as jnp
      >>> noise = jnp.full((2, 2), 4.0)
      >>> layer = {"kernel": jnp.ones((2, 2)), "noise_log_sigma2": noise}
      >>> sparsity({"dense_0": layer})
      {'dense_0': 1.0}
    """
    leaves: dict[str, Any] = flatten_dict(dict(params), sep="/")
    shares = {}
    for path, leaf in leaves.items():
        place, _, name = path.rpartition("/")
        if name != PREFIX + "log_sigma2":
            continue
        # The noise of a kernel alone is a module beside it: noise_x of x or x_kernel.
        parent, _, own = place.rpartition("/")
        beside = f"{parent}/{own.removeprefix(PREFIX)}".lstrip("/")
        kernels = (f"{place}/kernel", f"{beside}/kernel", f"{beside}_kernel")
        found = [kernel for kernel in kernels if kernel in leaves]
        if found:  # else it is the noise of something else
            layer = place if found[0] == kernels[0] else beside
            share = transforms.sparsity(leaves[found[0]], leaf, threshold)
            shares[layer] = float(share)
    return shares


def options_of(noise: Any) -> dict[str, Any]:
    """Returns the options of a transform on weights for the group `config.noise`."""
    learned = noise.kind != "dropconnect_dense"
    sampling = noise.sampling
    if sampling == "auto":
        sampling = "local" if learned else "weight"
    options: dict[str, Any] = {"sampling": sampling}
    if learned:
        options["threshold"] = noise.threshold or math.inf
    return options
