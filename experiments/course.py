# SPDX-License-Identifier: Apache-2.0
"""Does dropout help in the course's own experiment? Many seeds beside single runs.

python experiments/course.py --seeds=10 --ledger=results/course.jsonl
"""

import sys

import conduct

if __name__ == "__main__":
    sys.exit(conduct.study("course", __doc__))
