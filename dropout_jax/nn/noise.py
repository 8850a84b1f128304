# SPDX-License-Identifier: Apache-2.0
"""The one stochastic layer: any registered transform as a `flax.linen` module."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.core import FrozenDict

from dropout_jax import transforms
from dropout_jax.arguments import flag, whole_numbers
from dropout_jax.config.noise_fields import WEIGHT_KINDS
from dropout_jax.nn.checks import check_choice
from dropout_jax.nn.kl import sow_kl
from dropout_jax.nn.stochastic import deterministic_of, key_of, rate_of, refuse_bool

# Learned noise parameters are leaves with this prefix, so that an optimiser can
# give them their own learning rate and exempt them from weight decay.
PREFIX = "noise_"
SHARINGS = ("element", "spatial", "tied")


class Noise(nn.Module):
    """Applies one registered transform to its input, with a key stream of its own.

    While training, the layer draws its key from the stream `"dropout"`; linen
    derives that key from the layer's path, hence the explicit name: removing one
    layer leaves the masks of the others alone. In an `nn.Sequential` the name is the
    place in its list, `layers_1`. A transform with learned parameters
    gets one value per feature (the last axis of `x`). The KL divergence of all factors
    that are drawn for one example (`transforms.kl_per_example`) is sown into the
    collection `"kl"`.

    Attributes:
      kind: name in the transform registry, or `"none"` for the identity.
      rate: drop rate (or standard deviation) used where a call gives none.
      shared_axes: axes of the input along which one draw is shared; a number for one.
      options: further keyword arguments of the transform.
      initial: start values of learned parameters, by name; the registry's if absent.
      kl_options: keyword arguments of the transform's KL.
      batch_axis: axis of the input that counts examples, which the KL leaves out; None
        where there is none, as under `vmap` over examples. An input with one axis is
        one example.
      deterministic: evaluation behavior; None where the call says it.
      rng_collection: name of the stream that the keys are drawn from.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> layer = Noise(kind="dropout", name="noise")
      >>> x = jnp.ones((2, 4))
      >>> y = layer.apply({}, x, 0.5, deterministic=False,
      ...                 rngs={"dropout": jax.random.key(0)})
      >>> sorted(set(y.ravel().tolist()))
      [0.0, 2.0]
    """

    kind: str
    rate: Any = None
    shared_axes: tuple[int, ...] | int = ()
    options: Mapping[str, Any] = FrozenDict()
    initial: Mapping[str, float] = FrozenDict()
    kl_options: Mapping[str, Any] = FrozenDict()
    batch_axis: int | None = 0
    deterministic: bool | None = None
    rng_collection: str = "dropout"

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        rate: Any = None,
        *,
        deterministic: bool | None = None,
        rng: jax.Array | None = None,
        **arrays: jax.Array,
    ) -> jax.Array:
        """Returns noisy `x` (or what the transform defines as its expectation).

        Args:
          x: any shape, floating dtype; the last axis holds the features.
          rate: probability of dropping, a float or a traced array broadcastable to
            `x`, instead of the layer's own. Ignored by transforms that learn their
            noise.
          deterministic: evaluation behaviour; static. Where the layer does not say it.
          rng: key, instead of one of the layer's stream.
          **arrays: what the transform needs besides, as `previous`.

        Raises:
          TypeError: `deterministic` is no bool, an axis no whole number, or the rate no
            number.
          ValueError: the layer has no explicit name, no key was given, `deterministic`
            is given to neither layer nor call or to both, there is no rate, the
            transform needs more than its input (a kernel, say), or it is learned and
            the features share a draw, whose KL is not defined.
        """
        refuse_bool(rate)
        deterministic = deterministic_of(self, deterministic)
        shared_axes = whole_numbers("shared_axes", self.shared_axes)
        if self.kind == "none":
            return x
        # Also by a lifted class (VmapNoise_0) or that of a user's own layer.
        if re.fullmatch(rf"(\w*Noise|{type(self).__name__})_\d+", self.name or ""):
            raise ValueError(
                f"Noise layer {self.name!r} was named by flax; give it an explicit "
                "name=..., so that adding or removing a layer does not change the "
                "masks of the others"
            )
        transform = transforms.get(self.kind)
        if not transform.layer and (transform.learned or not arrays):
            raise ValueError(
                f"kind is {self.kind!r}, which needs more than its input: give the "
                "arrays that its docstring names, or, for noise on a kernel, use "
                "NoisyDense, NoisyConv or NoisyKernel"
            )
        arguments = [rate_of(self, self.kind, rate)]
        if transform.learned:
            arguments = [self._learned(x, leaf) for leaf in transform.learned]
            if transform.kl is not None:
                kl = transforms.kl_per_example(
                    transform.kl(*arguments, **self.kl_options),
                    x.shape,
                    shared_axes=shared_axes,
                    batch_axis=self.batch_axis,
                )
                sow_kl(self, kl)
        key = key_of(self, arguments[0], deterministic, rng)
        shared = {"shared_axes": shared_axes} if shared_axes else {}
        return transform.apply(
            key,
            x,
            *arguments,
            deterministic=key is None,
            **shared,
            **self.options,
            **arrays,
        )

    def _learned(self, x: jax.Array, leaf: transforms.Learned) -> jax.Array:
        start = self.initial.get(leaf.name, leaf.initial)
        value = self.param(
            PREFIX + leaf.name,
            nn.initializers.constant(start),
            x.shape[-1:],
            jnp.float32,
        )
        # Explicit rank: the tests run with implicit rank promotion switched off.
        return value.reshape((1,) * (x.ndim - 1) + x.shape[-1:])


@dataclasses.dataclass(frozen=True)
class NoiseConfig:
    """What a model needs to know to place its noise layers.

    Attributes:
      kind: name in the transform registry, or `"none"`.
      on_input: whether the model's input is a site too.
      sharing: `"element"`, `"spatial"` (one draw per channel) or `"tied"` (one draw
        per sequence).
      options: further keyword arguments of the transform.
      initial: start values of learned parameters.
      kl_options: keyword arguments of the KL.
    """

    kind: str = "none"
    on_input: bool = False
    sharing: str = "element"
    options: Mapping[str, Any] = FrozenDict()
    initial: Mapping[str, float] = FrozenDict()
    kl_options: Mapping[str, Any] = FrozenDict()

    def __post_init__(self) -> None:
        """Raises TypeError or ValueError for a flag or a sharing that is none."""
        flag("on_input", self.on_input)
        check_choice("sharing", self.sharing, SHARINGS)

    def layer(self, site: str, shared_axes: tuple[int, ...] = ()) -> Noise:
        """Returns the noise layer of `site`, named `noise_<site>`."""
        return Noise(
            kind=self.kind,
            shared_axes=shared_axes,
            options=self.options,
            initial=self.initial,
            kl_options=self.kl_options,
            name=f"noise_{site}",
        )

    @property
    def on_units(self) -> NoiseConfig:
        """This noise, or none if it acts on weights."""
        return NoiseConfig() if self.kind in WEIGHT_KINDS else self

    @property
    def in_head(self) -> NoiseConfig:
        """This noise as a dense head has it, where there are no maps."""
        if self.kind == "dropblock":
            return dataclasses.replace(self, kind="dropout", options=FrozenDict())
        if self.kind == "variational_conv":
            return dataclasses.replace(self, kind="variational_dense")
        return self

    def on_map(self, x: jax.Array) -> NoiseConfig:
        """This noise as the map `x` can take it: no block larger than the map."""
        if self.kind != "dropblock":
            return self
        size = min(self.options["block_size"], *x.shape[1:3])
        return dataclasses.replace(
            self, options=FrozenDict({**self.options, "block_size": size})
        )
