# SPDX-License-Identifier: Apache-2.0
"""Studies: many training runs, planned whole, resumable, with one ledger."""

from dropout_jax.sweeps.ledger import Ledger, ledger_line
from dropout_jax.sweeps.local import run_trials
from dropout_jax.sweeps.plan import Trial, plan

__all__ = ["Ledger", "Trial", "ledger_line", "plan", "run_trials"]
