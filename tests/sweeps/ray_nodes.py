# SPDX-License-Identifier: Apache-2.0
"""A Ray cluster of several nodes, as processes of this machine, until stdin ends.

Its argument is the number of nodes that work; the address is printed. The head has no
cores, so that no test kills it.
"""

import sys

from ray.cluster_utils import Cluster

if __name__ == "__main__":
    settings = {"include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={**settings, "num_cpus": 0})
    for _ in range(int(sys.argv[1])):
        cluster.add_node(**settings, num_cpus=1, wait=False)
    cluster.wait_for_nodes(timeout=120)
    print(cluster.address, flush=True)
    sys.stdin.read()
    cluster.shutdown()
