# SPDX-License-Identifier: Apache-2.0
"""Studies: kills, many workers, overhead, and how fast `status` and `report` answer.

python -m benchmarks.study_machinery --only=kills,overhead
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import disturbed, measure, processes
from dropout_jax.config import canonical, config_id, defaults
from dropout_jax.config.guard import guarded
from dropout_jax.config.loading import override
from dropout_jax.sweeps import StudyDirectory, plan

NAME = "study_machinery"
Row = tuple[str, str, str]  # what, its target, what was found


def planned(directory: str, name: str, count: int) -> StudyDirectory:
    """Returns a study of tiny trials."""
    study = StudyDirectory(Path(directory, name))
    study.extend(disturbed.tiny_trials(count))
    return study


def kills(directory: str, trials: int = 200, times: int = 20) -> Row:
    """Kills a study at random moments and compares it with one left alone."""
    random.seed(0)
    alone, killed = (planned(directory, n, trials) for n in ("alone", "killed"))
    disturbed.run(alone, workers=2)
    disturbed.run_killed(killed, workers=2, kills=times)
    wanted, _ = disturbed.results(alone)
    found, doubled = disturbed.results(killed)
    same = sum(found.get(trial) == result for trial, result in wanted.items())
    return (
        f"{trials} trials, killed with SIGKILL {times} times at random moments",
        "every trial once, results those of the study left alone",
        f"{len(found)} finished, {doubled} doubled, {same} the same bit for bit",
    )


def many_workers(directory: str, trials: int = 500, workers: int = 8) -> Row:
    """Lets many workers compete for short trials."""
    study = planned(directory, "many", trials)
    seconds = disturbed.run(study, workers)
    found, doubled = disturbed.results(study)
    return (
        f"{workers} workers, {trials} short trials",
        "0 lost, 0 doubled",
        f"{trials - len(found)} lost, {doubled} doubled ({seconds:.0f} s)",
    )


BARE = """
import json, sys, time
from dropout_jax import training
from dropout_jax.config import from_json
from dropout_jax.training import TerminalProgress
configs = [json.loads(line)["config"] for line in open(sys.argv[1])]
for number, config in enumerate(configs):
    progress = TerminalProgress(epoch_lines=False)
    training.run(from_json(config), f"{sys.argv[2]}/{number}", progress=progress)
print(len(configs))
"""


def overhead(directory: str, trials: int = 30) -> list[Row]:
    """Compares a study in one worker with the same runs in a plain loop.

    Trial by trial, from the first result to the last, and from the command to its end:
    start-up, the report and its figures included, whatever the number of trials.
    """
    fields = {
        "model.widths": (256, 256),
        "train.epochs": 1,
        "train.batch_size": 256,
        "noise.kind": "dropout",
        "noise.rates": (0.2,),
    }
    base = override(defaults(), fields)
    sweep = [{"arm": "dropout", "seed": seed} for seed in range(trials)]
    whole: dict[str, list[float]] = {"study": [], "bare": []}
    each: dict[str, list[float]] = {"study": [], "bare": []}
    for number in range(3):
        study = StudyDirectory(Path(directory, f"overhead{number}"))
        study.extend(plan("overhead", base, sweep))
        bare = Path(directory, f"bare{number}")
        whole["study"].append(disturbed.run(study, workers=1))
        seconds, _ = processes.run(
            ["-c", BARE, str(study.path / "plan.jsonl"), str(bare)]
        )
        whole["bare"].append(seconds)
        for side, place in (("study", study.path / "trials"), ("bare", bare)):
            ends = [path.stat().st_mtime for path in place.glob("*/result.json")]
            each[side].append((max(ends) - min(ends)) / (trials - 1))
        measure.progress(f"overhead [{number + 1}/3] {whole} {each}")
    what = f"study in one worker / the same runs in a plain loop, {trials} trials of "
    what += f"{min(each['bare']):.1f} s"
    return [
        (
            f"{what}: a trial, from first to last result",
            "under 1.05",
            str(measure.ratio(each["study"], each["bare"])),
        ),
        (
            f"{what}: the whole, with start-up and the report at the end",
            "",
            str(measure.ratio(whole["study"], whole["bare"])),
        ),
    ]


def large(directory: str, trials: int = 1000) -> StudyDirectory:
    """Returns a study whose ledger is full, made up from a line of a published one."""
    source = processes.ROOT / "results" / "small_data.jsonl"
    line = json.loads(source.read_text().splitlines()[0])
    study = StudyDirectory(Path(directory, "large"))
    sweep = [
        {
            "arm": f"arm {n % 50}",
            "seed": n // 50,
            "noise.kind": "dropout",
            "noise.rates": ((1 + n % 50) / 100,),
        }
        for n in range(trials)
    ]
    chosen = plan("large", defaults(), sweep)
    study.extend(chosen, reporting={"baseline": "arm 0"})
    lines = [
        {
            **line,
            "study": "large",
            "arm": trial.arm,
            "seed": trial.seed,
            "trial": config_id(trial.config),
            "config": canonical(trial.config),
        }
        for trial in chosen
    ]
    study.ledger.path.write_text("".join(json.dumps(x) + "\n" for x in lines))
    return study


def answers(directory: str, trials: int = 1000) -> list[Row]:
    """Times `status` and `report` on a large study."""
    study, rows = large(directory, trials), []
    for command, target in (("status", 2), ("report", 30)):
        arguments = ["-m", "dropout_jax.sweeps", command, f"--study={study.path}"]
        seconds, _ = processes.run(arguments)
        what = f"`{command}` on a study of {trials:,} trials"
        rows.append((what, f"under {target} s", f"{seconds:.1f} s"))
    return rows


WRONG = """
from dropout_jax.config import defaults as get_config

def sweep():
    for n in range(500):
        rates = (0.5 if n != 321 else 1.5,)
        yield {"arm": f"a{n}", "noise.kind": "dropout", "noise.rates": rates, "seed": n}
"""


def mistake(directory: str) -> Row:
    """Asks for a study with a mistake in one of its 500 trials."""
    config, study = Path(directory, "wrong.py"), Path(directory, "wrong")
    config.write_text(WRONG)
    started = time.perf_counter()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dropout_jax.sweeps", "run"),
            f"--config={config}",
            f"--study={study}",
        ],
        cwd=processes.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    seconds = time.perf_counter() - started
    said = done.stderr.strip()
    assert done.returncode == 2 and not study.exists(), said
    return (
        "a mistake in one of 500 trials",
        "refused before anything runs, trial and field named",
        f"exit code {done.returncode} after {seconds:.1f} s: `{said}`",
    )


PARTS: dict[str, Callable[[str], Row | list[Row]]] = {
    "mistake": mistake,
    "answers": answers,
    "workers": many_workers,
    "kills": kills,
    "overhead": overhead,
}


def main() -> None:
    """Measures all and writes the table."""
    option = measure.names(PARTS)
    flags = measure.arguments(__doc__, 3, [("--only", option)])
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        for name in flags.only:
            found = PARTS[name](directory)
            rows += found if isinstance(found, list) else [found]
            measure.progress(f"{name}: {rows[-1]}")
    measure.write(
        NAME,
        "The machinery of studies",
        measure.command(NAME),
        "Real processes and real signals; the short trials take about a tenth of a "
        "second each.",
        ["what", "target", "found"],
        rows,
    )


if __name__ == "__main__":
    sys.exit(guarded(main))
