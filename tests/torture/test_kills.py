# SPDX-License-Identifier: Apache-2.0
"""Killed at any moment, the same command ends with the same bits."""

import collections
import itertools
import random
import signal
from concurrent.futures import ThreadPoolExecutor

import runs

CASES = list(itertools.product(runs.NETWORKS, runs.METHODS))


def test_killed_and_started_again_the_bits_are_the_same(
    tmp_path, environment, amount, figure
):
    count = amount(12, 100)
    cases = CASES if count > len(CASES) else random.Random(0).sample(CASES, 5)

    def undisturbed(case):
        return runs.undisturbed(tmp_path / "_".join(case), case, environment)

    with ThreadPoolExecutor(runs.AT_ONCE) as pool:
        wanted = dict(zip(cases, pool.map(undisturbed, cases), strict=True))

    def killed(number):
        case = cases[number % len(cases)]
        same, seconds = wanted[case]
        workdir, fields = tmp_path / f"killed_{number}", runs.fields_of(*case)
        chance = random.Random(number)
        # Every third in the middle of a checkpoint, which is short.
        saving = number % 3 == 2
        moments = (
            runs.SAVING if saving else chance.uniform(0.0, seconds) for _ in range(9)
        )
        _, where, _ = runs.struck(workdir, fields, environment, signal.SIGKILL, moments)
        kept = runs.kept(workdir)
        out = runs.train(workdir, fields, environment)
        return where, runs.goes_on(out, kept) and runs.digests(workdir) == same

    with ThreadPoolExecutor(runs.AT_ONCE) as pool:
        found = list(pool.map(killed, range(count)))
    right = sum(same for _, same in found)
    places = collections.Counter(where for where, _ in found)
    told = ", ".join(f"{n} {where}" for where, n in places.most_common())
    figure(
        1,
        "`kill -9` at a random moment, 3 networks x 5 methods; started again it goes "
        "on from the newest checkpoint: final parameters, optimiser state and metrics "
        "those of the undisturbed run",
        "100/100",
        f"{right}/{count} ({told})",
    )
    assert right == count
    assert places[runs.SAVING] >= count // 4
    assert len(places) > 2
