# SPDX-License-Identifier: Apache-2.0
"""Recurrent network (LSTM or GRU) that reads an image row by row."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from dropout_jax.arguments import flag
from dropout_jax.config.noise_fields import INNER_KINDS, WEIGHT_KINDS
from dropout_jax.nn.checks import check_choice, check_images, check_rates, check_sizes
from dropout_jax.nn.noise import NoiseConfig
from dropout_jax.nn.noisy_weights import dense
from dropout_jax.nn.recurrent import QUIET, InnerNoise, RecurrentLayer

PLACES = ("auto", "none", "state", "candidate")


class RNN(nn.Module):
    """Stacked recurrent layers over the rows of an image; the last state classifies.

    `noise.sharing` says how often noise is drawn: `"element"` afresh at every step,
    `"tied"` once per sequence. `recurrent` says where it acts inside the recurrence,
    besides the connections between layers:

    - `"auto"`: nowhere with `"element"` (Zaremba et al. 2014), on the state with
      `"tied"` (Gal and Ghahramani 2016);
    - `"none"`: nowhere;
    - `"state"`: on the state that is fed back;
    - `"candidate"`: on what a step adds to its memory (Semeniuta et al. 2016).

    Zoneout keeps parts of the previous state (and cell) instead; weight drop drops
    recurrent weights, and learned noise (`"variational_dense"`) is on all of them, one
    draw per batch in the loops (Lobacheva et al. 2017, Bayesian sparsification of
    recurrent neural networks). None of the three acts between layers.

    Attributes:
      widths: units of each recurrent layer.
      cell: `"lstm"` or `"gru"`.
      classes: number of outputs.
      noise: which noise, and where.
      recurrent: where noise acts inside the recurrence.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> model = RNN(widths=(8,), cell="gru", noise=NoiseConfig("dropout"))
      >>> x = jnp.zeros((2, 28, 28))
      >>> variables = model.init(jax.random.key(0), x, (0.0, 0.5), train=False)
      >>> model.apply(variables, x, (0.0, 0.5), train=False).shape
      (2, 10)
    """

    widths: tuple[int, ...]
    cell: str = "lstm"
    classes: int = 10
    noise: NoiseConfig = NoiseConfig()
    recurrent: str = "auto"

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the noise sites, in the order of `rates`."""
        return ("input", *(f"layer_{i}" for i in range(len(self.widths))))

    @property
    def readers(self) -> dict[str, str]:
        """Path of the kernel that reads each site, by site; of the state fed back too.

        What a step adds to its memory (noise on the candidate) no kernel reads.
        """
        layers = [f"layer_{i}" for i in range(len(self.widths))]
        paths = (*(f"{layer}/projection" for layer in layers), "logits")
        readers = zip(self.sites, (f"{path}/kernel" for path in paths), strict=True)
        if self.recurrent == "candidate":
            return dict(readers)
        fed_back = {
            f"recurrent_{i}": f"{layer}/recurrent_kernel"
            for i, layer in enumerate(layers)
        }
        return dict(readers) | fed_back

    @nn.compact
    def __call__(self, images: jax.Array, rates: Any, *, train: bool) -> jax.Array:
        """Returns logits [batch, classes]; arguments as in `MLP`."""
        check_images(images)
        check_rates(rates, self.sites)
        check_sizes(widths=self.widths, classes=self.classes)
        if not self.widths:
            raise ValueError("widths is (); an RNN has at least one layer")
        check_choice("recurrent", self.recurrent, PLACES)
        kind, still = self.noise.kind, not flag("train", train)
        on_weights = kind == "weight_drop" or kind in WEIGHT_KINDS
        between = NoiseConfig() if kind in INNER_KINDS else self.noise.on_units
        shared_axes = (1,) if self.noise.sharing == "tied" else ()
        x = images
        if between.on_input:
            x = between.layer("input", shared_axes)(x, rates[0], deterministic=still)
        for i, units in enumerate(self.widths):
            rate = rates[i + 1]
            layer = RecurrentLayer(
                units,
                self.cell,
                self.noise if on_weights else NoiseConfig(),
                name=f"layer_{i}",
            )
            x = layer(x, self._inner_noise(i, x, units, rate, still), rate, still)
            if i + 1 == len(self.widths):
                # Only the last state goes on; noise on the others would be wasted.
                x = between.layer(f"layer_{i}")(x[:, -1], rate, deterministic=still)
            else:
                x = between.layer(f"layer_{i}", shared_axes)(
                    x, rate, deterministic=still
                )
        return dense("logits", self.classes, self.noise, x, None, train=not still)

    def _inner_noise(
        self, i: int, x: jax.Array, units: int, rate: Any, still: bool
    ) -> InnerNoise:
        """Draws what acts inside the loop of layer i: the only part that is random."""
        kind, tied = self.noise.kind, self.noise.sharing == "tied"
        # Of the precision that noise has: images may be bytes, or of half precision.
        ones = jnp.ones((x.shape[0], units), jnp.float32)
        if not tied:
            ones = jnp.broadcast_to(ones[:, None], (x.shape[0], *x.shape[1:2], units))

        def draw(site: str, **arrays: jax.Array) -> jax.Array:
            layer = self.noise.layer(f"{site}_{i}")
            factor = layer(ones, rate, deterministic=still, **arrays)
            return factor if tied else factor.swapaxes(0, 1)

        if kind == "zoneout":
            old = jnp.zeros_like(ones)  # so that the draw is the share that is new
            cell = draw("cell", previous=old) if self.cell == "lstm" else None
            return InnerNoise(
                renewal=draw("recurrent", previous=old), cell_renewal=cell
            )
        default = "state" if tied else "none"
        where = default if self.recurrent == "auto" else self.recurrent
        if where == "none" or kind in ("none", "weight_drop", *WEIGHT_KINDS):
            return QUIET
        return InnerNoise(**{where: draw("recurrent")})
