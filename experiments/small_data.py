# SPDX-License-Identifier: Apache-2.0
"""Does dropout help with little data? Eight settings on 5,000 training images.

python experiments/small_data.py --seeds=10 --ledger=results/small_data.jsonl
"""

import sys

import conduct

if __name__ == "__main__":
    sys.exit(conduct.study("small_data", __doc__))
