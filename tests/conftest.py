# SPDX-License-Identifier: Apache-2.0
"""Settings for every test: no silent broadcasting, no progress bars."""

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
