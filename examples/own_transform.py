# SPDX-License-Identifier: Apache-2.0
"""A transform of your own: uniform multiplicative noise, usable from every config.

python train.py --config=configs/smoke.py --config.plugin=examples/own_transform.py \
    --config.noise.kind=uniform_noise --config.noise.rates=0.3 --workdir=runs/uniform
"""

import jax
import jax.numpy as jnp

from dropout_jax import transforms
from dropout_jax.transforms import Example, Transform, contract, moments, register


def uniform_noise(key, x, rate, *, shared_axes=(), deterministic=False):
    """Multiplies `x` by uniform noise on [1 - rate, 1 + rate], rate in [0, 1].

    `contract` holds what all transforms do alike: it refuses integers, many keys, an
    axis that is not there or a rate out of its range, in one sentence each.
    """
    axes = contract.check_call(key, x, shared_axes, deterministic)
    rate = contract.drop_rate(rate, x)  # a number, traced, or one per unit
    if deterministic:
        return x
    x = jnp.asarray(x)
    drawn = jax.random.uniform(key, contract.draw_shape(x.shape, axes), minval=-1.0)
    dtype = contract.compute_dtype(x)  # bfloat16 is rounded once, at the end
    return (x.astype(dtype) * (1.0 + rate * drawn).astype(dtype)).astype(x.dtype)


def uniform_noise_moments(x, rate, *, shared_axes=()):
    """Returns its moments: mean x, variance x^2 rate^2 / 3; tests hold it to them."""
    rate = contract.drop_rate(rate, x)

    def cross(a, b):  # the covariance of two factors made of one draw
        return moments.entry(rate, x, a) * moments.entry(rate, x, b) / 3.0

    one, variance, fourth = jnp.float32(1.0), rate**2 / 3.0, rate**4 / 5.0
    return moments.multiplicative(x, one, variance, fourth, shared_axes, cross)


register(
    Transform(
        name="uniform_noise",
        apply=uniform_noise,
        moments=uniform_noise_moments,
        summary="y = x u, u uniform on [1 - rate, 1 + rate]",
        reference="your paper",
        examples=(Example((0.5,)),),  # the settings to test it at
    )
)


if __name__ == "__main__":
    x = jnp.full((100_000,), 2.0)
    y = uniform_noise(jax.random.key(0), x, 0.3)
    expected = uniform_noise_moments(2.0, 0.3)
    print(f"mean {y.mean():.3f}, expected {expected.mean:.3f}")
    print(f"variance {y.var():.4f}, expected {expected.variance:.4f}")
    print("registered beside", ", ".join(transforms.names()))
