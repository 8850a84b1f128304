# SPDX-License-Identifier: Apache-2.0
"""Asked to stop at any moment, a run ends soon, in one line, and goes on as if not."""

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import runs

CASES = [("mlp", "dropout"), ("rnn", "variational dropout")]
SIGNALS = (signal.SIGINT, signal.SIGTERM)
SAVED = "the run so far is in"
PROMPT = 10.0  # seconds: a chunk and a checkpoint, or a program to its end, when busy


def complaints(workdir, number, early, end):
    """What is wrong with how a run ended; `early`: when nobody may have listened."""
    code, out, err, seconds = end
    lines, found = err.strip().splitlines(), []
    before = early and code == -number and not lines
    if code != 128 + number and not before:
        found.append(f"exit code {code}")
    if "Traceback" in out + err or len(lines) != (not before):
        found.append(f"said {err!r}")
    if seconds > PROMPT:
        found.append(f"took {seconds:.1f} s")
    if SAVED in err and not runs.kept(workdir):
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

    begun = time.monotonic()
    assert runs.finish(runs.start(tmp_path, {"help": ""}, environment))[0] == 2
    deaf = 3 * (time.monotonic() - begun)  # Python starts, and reads a wrong flag

    def stopped(number):
        case, (same, seconds) = CASES[number % 2], wanted[number % 2]
        # Nothing but being asked makes it save before its end.
        fields = {**runs.fields_of(*case), "train.checkpoint_seconds": 86400.0}
        workdir, how = tmp_path / f"stopped_{number}", SIGNALS[number // 2 % 2]
        chance = random.Random(number)
        # Each signal in the import of JAX too: long before a step, but listened to.
        aimed = number % 8 in (0, 3)
        moments = (
            runs.imports_jax if aimed else chance.uniform(0.05, seconds)
            for _ in range(9)
        )
        moment, _, end = runs.struck(workdir, fields, environment, how, moments)
        early = not aimed and moment < deaf
        found, kept = complaints(workdir, how, early, end), runs.kept(workdir)
        out = runs.train(workdir, fields, environment)
        if not runs.goes_on(out, kept):
            found.append(f"step {kept} was kept: {out}")
        if runs.digests(workdir) != same:
            found.append("other bits")
        return found, end, kept

    with ThreadPoolExecutor(runs.AT_ONCE) as pool:
        found = list(pool.map(stopped, range(count)))
    wrong = [what for what, *_ in found if what]
    saved = sum(kept > 0 for *_, kept in found)
    slowest = max(seconds for _, (*_, seconds), _ in found)
    figure(
        2,
        "SIGINT or SIGTERM at a random moment, one in four in the import of JAX, no "
        "checkpoint before: exit code 130 or 143, one line, no traceback; what was "
        "done is saved, and with it the run goes on to the same bits",
        "50/50",
        f"{count - len(wrong)}/{count} ({saved} in training and saved, the others "
        f"before it); ended within {slowest:.1f} s",
    )
    assert not wrong
    assert saved >= count // 4
