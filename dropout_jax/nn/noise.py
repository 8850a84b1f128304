# SPDX-License-Identifier: Apache-2.0
"""The one stochastic layer: any registered transform as a `flax.linen` module."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
from flax.core import FrozenDict

from dropout_jax import transforms
from dropout_jax.arguments import flag, whole_numbers
from dropout_jax.config.noise_fields import WEIGHT_KINDS
from dropout_jax.nn.checks import check_choice
from dropout_jax.nn.kl import sow_kl

# Learned noise parameters are leaves with this prefix, so that an optimiser can
# give them their own learning rate and exempt them from weight decay.
PREFIX = "noise_"
SHARINGS = ("element", "spatial", "tied")


class Noise(nn.Module):
    """Applies one registered transform to its input, with a key stream of its own.

    While training, the layer draws its key from the stream `"dropout"`; linen
    derives that key from the layer's path, hence the explicit name: removing one
    layer leaves the masks of the others alone. A transform with learned parameters
    gets one value per feature (the last axis of `x`). The KL divergence of all factors
    that are drawn for one example (`transforms.kl_per_example`) is sown into the
    collection `"kl"`.

    Attributes:
      kind: name in the transform registry, or `"none"` for the identity.
      shared_axes: axes of the input along which one draw is shared; a number for one.
      options: further keyword arguments of the transform.
      initial: start values of learned parameters, by name; the registry's if absent.
      kl_options: keyword arguments of the transform's KL.
      batch_axis: axis of the input that counts examples, which the KL leaves out; None
        where there is none, as under `vmap` over examples. An input with one axis is
        one example.

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
    shared_axes: tuple[int, ...] | int = ()
    options: Mapping[str, Any] = FrozenDict()
    initial: Mapping[str, float] = FrozenDict()
    kl_options: Mapping[str, Any] = FrozenDict()
    batch_axis: int | None = 0

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        rate: Any = None,
        *,
        deterministic: bool,
        **arrays: jax.Array,
    ) -> jax.Array:
        """Returns noisy `x` (or what the transform defines as its expectation).

        Args:
          x: any shape, floating dtype; the last axis holds the features.
          rate: probability of dropping, a float or a traced array broadcastable to
            `x`. Ignored by transforms that learn their noise.
          deterministic: evaluation behaviour; static.
          **arrays: what the transform needs besides, as `previous`.

        Raises:
          TypeError: `deterministic` is no bool, an axis no whole number, or the rate no
            number.
          ValueError: the layer has no explicit name, no `"dropout"` key was given, the
            transform needs more than its input (a kernel, say), or it is learned and
            the features share a draw, whose KL is not defined.
        """
        deterministic = flag("deterministic", deterministic)
        shared_axes = whole_numbers("shared_axes", self.shared_axes)
        if self.kind == "none":
            return x
        if self.name is not None and self.name.startswith("Noise_"):
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
        arguments = [rate]
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
        if deterministic or self.is_initializing():
            key, deterministic = None, True
        elif self.has_rng("dropout"):
            key = self.make_rng("dropout")
        else:
            raise ValueError(
                f"Noise layer {self.name!r} needs a key of its own: call "
                "apply(..., rngs={'dropout': key}), or pass deterministic=True / "
                "train=False (the parameter key is never borrowed)"
            )
        shared = {"shared_axes": shared_axes} if shared_axes else {}
        return transform.apply(
            key,
            x,
            *arguments,
            deterministic=deterministic,
            **shared,
            **self.options,
            **arrays,
        )

    def _learned(self, x: jax.Array, leaf: transforms.Learned) -> jax.Array:
        start = self.initial.get(leaf.name, leaf.initial)
        value = self.param(
            PREFIX + leaf.name, nn.initializers.constant(start), x.shape[-1:]
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
