# SPDX-License-Identifier: Apache-2.0
"""Prints docs/config.md: `python -m dropout_jax.config > docs/config.md`."""

import sys

from dropout_jax.config.description import markdown

sys.stdout.write(markdown())
