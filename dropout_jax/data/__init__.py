# SPDX-License-Identifier: Apache-2.0
"""Images as uint8 arrays: Fashion-MNIST, a synthetic set, or your own.

Importing this room imports neither JAX nor TFDS; `dropout_jax.data.augment`, the
only part that runs on a device, imports JAX.
"""

from dropout_jax.data.dataset import Dataset
from dropout_jax.data.loading import cut, load

__all__ = ["Dataset", "cut", "load"]
