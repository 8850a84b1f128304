# SPDX-License-Identifier: Apache-2.0
"""Asked to stop at any moment, a run ends soon, in one line, and goes on as if not."""

import collections
import random
import signal
from concurrent.futures import ThreadPoolExecutor

import runs
from dropout_jax.training.run_directory import RunDirectory

CASES = [("mlp", "dropout"), ("rnn", "variational dropout")]
SIGNALS = (signal.SIGINT, signal.SIGTERM)
PROMPT = 10.0  # seconds: a chunk and a checkpoint, or a program to its end, when busy


def complaints(workdir, number, where, end):
    """What is wrong with how a run ended."""
    code, out, err, seconds = end
    if where == "too late" or (code == 0 and where == "after the result"):
        return []
    lines, found = err.strip().splitlines(), []
    if code != 128 + number:
        found.append(f"exit code {code}")
    if "Traceback" in out + err or len(lines) > 1:
        found.append(f"said {err!r}")
    if seconds > PROMPT:
        found.append(f"took {seconds:.1f} s")
    if lines and "the run so far is in" in lines[0]:
        saved = RunDirectory(workdir).checkpoints
        kept = max(int(p.parent.name) for p in saved.glob("*/MANIFEST.json"))
        if kept < 1:
            found.append("saved nothing")
    return found


def test_asked_to_stop_a_run_saves_and_ends(tmp_path, environment, amount, figure):
    count = amount(8, 50)
    with ThreadPoolExecutor(runs.AT_ONCE) as pool:
        wanted = list(
            pool.map(
                lambda case: runs.undisturbed(
                    tmp_path / "_".join(case), case, environment
                ),
                CASES,
            )
        )

    def stopped(number):
        case, (same, seconds) = CASES[number % 2], wanted[number % 2]
        workdir, fields = tmp_path / f"stopped_{number}", runs.fields_of(*case)
        how = SIGNALS[number // 2 % 2]
        moment = random.Random(number).uniform(0.05, seconds)
        where, end = runs.strike(workdir, fields, environment, how, moment)
        found = complaints(workdir, how, where, end)
        runs.train(workdir, fields, environment)
        if runs.digests(workdir) != same:
            found.append("other bits")
        return where, found, end[-1]

    with ThreadPoolExecutor(runs.AT_ONCE) as pool:
        found = list(pool.map(stopped, range(count)))
    wrong = [(where, what) for where, what, _ in found if what]
    places = collections.Counter(where for where, _, _ in found)
    told = ", ".join(f"{n} {where}" for where, n in places.most_common())
    figure(
        2,
        "SIGINT or SIGTERM at a random moment: exit code 130 or 143, one line, no "
        "traceback, the same bits when started again",
        "50/50",
        f"{count - len(wrong)}/{count} ({told}); ended within "
        f"{max(seconds for *_, seconds in found):.1f} s",
    )
    assert not wrong
