# SPDX-License-Identifier: Apache-2.0
"""The transforms in plain JAX: a linear model trained with dropout, no Flax.

python examples/plain_jax.py
"""

import jax
import jax.numpy as jnp

from dropout_jax import keys
from dropout_jax.transforms import dropout

ROOT = keys.root_key(0)


def loss(weights: jax.Array, key: jax.Array, x: jax.Array, t: jax.Array, rate):
    """Returns the squared error with dropout on the inputs."""
    return jnp.mean((dropout(key, x, rate) @ weights - t) ** 2)


@jax.jit
def train(rate: jax.Array, x: jax.Array, t: jax.Array) -> jax.Array:
    """Returns weights after 500 steps; one program serves every rate."""

    def step(number, weights):
        key = keys.step_key(keys.stream(ROOT, keys.DROPOUT), number)
        return weights - 0.05 * jax.grad(loss)(weights, key, x, t, rate)

    return jax.lax.fori_loop(0, 500, step, jnp.zeros(x.shape[1]))


def main() -> None:
    """Prints how the weights shrink as the rate grows (Tikhonov regularisation)."""
    x_key, t_key = jax.random.split(jax.random.key(1))
    x = jax.random.normal(x_key, (256, 8))
    t = x @ jnp.arange(8.0) + jax.random.normal(t_key, (256,))
    rates = jnp.array([0.0, 0.2, 0.5, 0.8])
    trained = jax.vmap(train, (0, None, None))(rates, x, t)
    for rate, weights in zip(rates, trained, strict=True):
        print(f"rate {rate:.1f}: norm of the weights {jnp.linalg.norm(weights):.2f}")


if __name__ == "__main__":
    main()
