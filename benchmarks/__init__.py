# SPDX-License-Identifier: Apache-2.0
"""How fast, beside whom, and at what cost of memory: measured, never guessed.

python -m benchmarks                # all, in order
python -m benchmarks.step_cost --help

Every benchmark writes what it found, the machine and the versions into
benchmarks/results/.
"""
