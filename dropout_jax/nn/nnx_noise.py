# SPDX-License-Identifier: Apache-2.0
"""Any registered transform as a `flax.nnx` layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.core import FrozenDict

from dropout_jax import transforms
from dropout_jax.arguments import flag, whole_numbers
from dropout_jax.nn.noise import PREFIX
from dropout_jax.nn.stochastic import refuse_bool


class NNXNoise(nnx.Module):
    """The twin of `Noise` for nnx models: one adapter for all transforms.

    Each call draws a fresh key from the layer's own fork of the stream `"dropout"`.
    `model.eval()`, `model.train()` and `nnx.view(model, deterministic=True)` switch
    the noise off and on. Where there is none, no key is needed.

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
      deterministic: evaluation behavior; None where every call says it.
      rng_collection: name of the stream.
      rngs: from which the layer forks its stream, or the stream that it forks; None
        where every call that needs a key gives one.

    Raises:
      ValueError: no such transform, or a learned one without `features`.
      TypeError: `rngs` is of another type.

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
        deterministic: bool | None = False,
        rng_collection: str = "dropout",
        rngs: nnx.Rngs | nnx.RngStream | None = None,
    ):
        transform = transforms.get(kind)
        if transform.learned and features is None:
            raise ValueError(
                f"kind is {kind!r}, whose noise is learned; give features, the size of "
                "the last axis of its input, or the shape of its kernel"
            )
        self.kind, self.rate, self.deterministic = kind, rate, None
        self.set_view(deterministic)
        self.shared_axes = whole_numbers("shared_axes", shared_axes)
        self.batch_axis = batch_axis
        self.options = nnx.static(FrozenDict(options))
        self.rng_collection = rng_collection
        for leaf in transform.learned:
            value = initial.get(leaf.name, leaf.initial)
            start = jnp.full(features, value, jnp.float32)
            setattr(self, PREFIX + leaf.name, nnx.Param(start))
        stream = self._stream(rngs)
        self.rngs = nnx.data(None) if stream is None else stream.fork()

    def __call__(
        self,
        x: jax.Array,
        rate: Any = None,
        *,
        deterministic: bool | None = None,
        rngs: nnx.Rngs | nnx.RngStream | jax.Array | None = None,
        **arrays: jax.Array,
    ) -> jax.Array:
        """Returns noisy `x`, or what the transform defines as its expectation.

        Args:
          x: any shape, floating dtype.
          rate: float or traced array instead of the layer's own.
          deterministic: static; instead of the layer's own.
          rngs: a key, or what gives one, instead of the layer's own stream.
          **arrays: what the transform needs besides, as `kernel` or `previous`.

        Raises:
          ValueError: there is no rate, no `deterministic` or no key, neither here nor
            in the layer.
          TypeError: `rngs` is of another type, or `rate` a bool.
        """
        refuse_bool(rate)
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
        if still is None:
            raise ValueError(
                f"kind is {self.kind!r} and deterministic is given to neither, layer "
                "and call; give it: True for evaluation, False for training"
            )
        still = flag("deterministic", still)
        key = None if still else self._key(rngs, parameters[0])
        shared = {"shared_axes": self.shared_axes} if self.shared_axes else {}
        return transform.apply(
            key,
            x,
            *parameters,
            deterministic=key is None,
            **shared,
            **self.options,
            **arrays,
        )

    def set_view(self, deterministic: bool | None = None) -> None:
        """Sets what `nnx.view` asks for.

        Args:
          deterministic: evaluation behavior; None leaves it as it is.
        """
        if deterministic is not None:
            self.deterministic = flag("deterministic", deterministic)

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

    def _key(self, rngs: Any, rate: Any) -> jax.Array | None:
        """Returns a fresh key; None at the rate 0 where there is none to be had."""
        if isinstance(rngs, jax.Array | np.ndarray):
            return jnp.asarray(rngs)
        stream = self.rngs if rngs is None else self._stream(rngs)
        if stream is not None:
            return stream()
        if isinstance(rate, int | float) and rate == 0:
            return None
        name = self.rng_collection
        raise ValueError(
            f"kind is {self.kind!r} and there is no stream {name!r}, in neither layer "
            f"nor call; give rngs=nnx.Rngs({name}=0) to one, or deterministic=True"
        )

    def _stream(self, rngs: Any) -> nnx.RngStream | None:
        """Returns the stream of `rngs` that is this layer's; None if there is none."""
        if rngs is None or isinstance(rngs, nnx.RngStream):
            return rngs
        if not isinstance(rngs, nnx.Rngs):
            raise TypeError(
                f"rngs is of type {type(rngs).__name__}; give nnx.Rngs, nnx.RngStream "
                "or None, or a key to the call"
            )
        found = self.rng_collection in rngs or "default" in rngs
        return rngs[self.rng_collection] if found else None
