# SPDX-License-Identifier: Apache-2.0
"""Prints docs/config.md: `python -m dropout_jax.config > docs/config.md`."""

import sys

from dropout_jax.config.description import markdown
from dropout_jax.config.guard import guarded

sys.exit(guarded(lambda: print(markdown(), end=""), shows=True))
