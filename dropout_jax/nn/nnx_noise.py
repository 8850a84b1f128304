# SPDX-License-Identifier: Apache-2.0
"""Any registered transform as a `flax.nnx` layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from flax.core import FrozenDict

from dropout_jax import transforms
from dropout_jax.arguments import flag, whole_numbers
from dropout_jax.nn.noise import PREFIX


class NNXNoise(nnx.Module):
    """The twin of `Noise` for nnx models: one adapter for all transforms.

    Each call draws a fresh key from the layer's own fork of the stream `"dropout"`.
    `model.eval()` and `model.train()` switch the noise off and on.

    Args:
      kind: name in the transform registry.
      rate: drop rate (or standard deviation) used where a call gives none.
      features: shape of what is learned, where noise is learned, or its size: that
        of the last axis of the input; `kernel.shape` for noise on every weight.
      shared_axes: axes of the input along which one draw is shared.
      options: further keyword arguments of the transform.
      initial: start values of learned parameters, by name; the registry's if absent.
      batch_axis: axis of the input that counts examples, which the KL leaves out; None
        where there is none, as under `vmap` over examples.
      deterministic: evaluation behaviour.
      rngs: from which the layer forks its stream.

    Raises:
      ValueError: no such transform, or a learned one without `features`.

    Example:
      >>> from flax import nnx
      >>> layer = NNXNoise("gaussian_dropout", 0.5, rngs=nnx.Rngs(dropout=0))
      >>> x = jnp.ones((2, 3))
      >>> bool((layer(x) != layer(x)).all()), layer(x, deterministic=True) is x
      (True, True)
    """

    def __init__(
        self,
        kind: str,
        rate: float | None = None,
        *,
        features: int | Sequence[int] | None = None,
        shared_axes: Sequence[int] = (),
        options: Mapping[str, Any] = FrozenDict(),
        initial: Mapping[str, float] = FrozenDict(),
        batch_axis: int | None = 0,
        deterministic: bool = False,
        rngs: nnx.Rngs,
    ):
        transform = transforms.get(kind)
        if transform.learned and features is None:
            raise ValueError(
                f"kind is {kind!r}, whose noise is learned; give features, the size of "
                "the last axis of its input, or the shape of its kernel"
            )
        self.kind, self.rate, self.deterministic = kind, rate, deterministic
        self.shared_axes = whole_numbers("shared_axes", shared_axes)
        self.batch_axis = batch_axis
        self.options = nnx.static(FrozenDict(options))
        for leaf in transform.learned:
            start = jnp.full(features, initial.get(leaf.name, leaf.initial))
            setattr(self, PREFIX + leaf.name, nnx.Param(start))
        self.rngs = rngs["dropout"].fork()

    def __call__(
        self,
        x: jax.Array,
        rate: Any = None,
        *,
        deterministic: bool | None = None,
        **arrays: jax.Array,
    ) -> jax.Array:
        """Returns noisy `x`, or what the transform defines as its expectation.

        Args:
          x: any shape, floating dtype.
          rate: float or traced array instead of the layer's own.
          deterministic: static; instead of the layer's own.
          **arrays: what the transform needs besides, as `kernel` or `previous`.

        Raises:
          ValueError: there is no rate, neither here nor in the layer.
        """
        transform = transforms.get(self.kind)
        if transform.learned:
            parameters = self._learned(transform, x)
        else:
            parameters = [self.rate if rate is None else rate]
            if parameters[0] is None:
                raise ValueError(
                    f"kind is {self.kind!r} and no rate was given; give one to the "
                    "layer or to the call"
                )
        still = self.deterministic if deterministic is None else deterministic
        still = flag("deterministic", still)
        shared = {"shared_axes": self.shared_axes} if self.shared_axes else {}
        return transform.apply(
            None if still else self.rngs(),
            x,
            *parameters,
            deterministic=still,
            **shared,
            **self.options,
            **arrays,
        )

    def kl(self, shape: Sequence[int] | None = None, **options: Any) -> jax.Array:
        """Returns the KL of the learned noise; 0 where nothing is learned.

        That of noise on units is summed over all factors that are drawn for one
        example, that of noise on weights over the kernel.

        Args:
          shape: of the layer's input, the batch axis included; for noise on units.
          **options: of the transform's KL: `method`, or `kernel` for noise on weights.

        Raises:
          ValueError: the noise is on units and `shape` is missing or does not fit.
        """
        transform = transforms.get(self.kind)
        if transform.kl is None:
            return jnp.zeros(())
        values = [getattr(self, PREFIX + leaf.name)[...] for leaf in transform.learned]
        kl = transform.kl(*values, **options)
        if not transform.layer:  # one value per weight
            return jnp.sum(kl)
        if shape is None:
            raise ValueError(
                f"kind is {self.kind!r} and no shape was given; give that of the "
                "layer's input, kl(x.shape), because the KL counts every factor that "
                "is drawn for one example"
            )
        return transforms.kl_per_example(
            kl, shape, shared_axes=self.shared_axes, batch_axis=self.batch_axis
        )

    def _learned(self, transform: transforms.Transform, x: jax.Array) -> list:
        # Explicit rank: the tests run with implicit rank promotion switched off.
        values = [getattr(self, PREFIX + leaf.name)[...] for leaf in transform.learned]
        if not transform.layer:  # they belong to a kernel, not to x
            return values
        return [value.reshape((1,) * (x.ndim - 1) + value.shape) for value in values]
