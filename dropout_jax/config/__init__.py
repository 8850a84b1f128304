# SPDX-License-Identifier: Apache-2.0
"""What a run can be told, checked before JAX is imported."""

from dropout_jax.config.errors import Interrupted, UserError
from dropout_jax.config.identity import canonical, config_id, from_json
from dropout_jax.config.schema import defaults
from dropout_jax.config.validation import validate

__all__ = [
    "Interrupted",
    "UserError",
    "canonical",
    "config_id",
    "defaults",
    "from_json",
    "validate",
]
