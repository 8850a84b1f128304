# SPDX-License-Identifier: Apache-2.0
"""What all benchmarks share: alternating rounds, ratios, and the file of results."""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from benchmarks import machine

RESULTS = Path(__file__).parent / "results"
LABEL = "BENCHMARK_LABEL"  # set to name the results of another machine: its kind
SETTINGS = (LABEL, "JAX_PLATFORMS", "CUDA_VISIBLE_DEVICES")  # part of the command

# PyTorch's and XLA's threads go on spinning for a moment after their work: without
# a pause they would take the cores from the side that comes next.
PAUSE_SECONDS = 0.05

Side = Callable[[], float]  # does its work once, returns the seconds per unit of it


class Ratio(NamedTuple):
    """A ratio taken round by round."""

    median: float
    low: float
    high: float

    def __str__(self):
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def alternate(
    sides: Mapping[str, Side], rounds: int, *, warmup: int = 1, label: str = ""
) -> dict[str, list[float]]:
    """Runs all sides in turn, round after round, in this process.

    Timings move with the machine's other load; what is compared within a round moves
    together.

    Args:
      sides: by name.
      rounds: rounds that count.
      warmup: rounds before them, thrown away: they compile and warm up.
      label: printed before the costs of each round.

    Returns:
      The cost of each round, by side.
    """
    costs: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(-warmup, rounds):
        for name, side in sides.items():
            cost = side()
            time.sleep(PAUSE_SECONDS)
            if number >= 0:
                costs[name].append(cost)
        if number >= 0:
            shown = "  ".join(f"{n} {1e3 * c[-1]:.4g} ms" for n, c in costs.items())
            progress(f"{label} [{number + 1}/{rounds}] {shown}")
    return costs


def ratio(numerator: Sequence[float], denominator: Sequence[float]) -> Ratio:
    """Returns the ratio of two sides' costs, its median and range over the rounds.

    Example:
      >>> str(ratio([2.0, 6.0, 4.0], [1.0, 2.0, 2.0]))
      '2.00 (2.00 to 3.00)'
    """
    found = [a / b for a, b in zip(numerator, denominator, strict=True)]
    return Ratio(statistics.median(found), min(found), max(found))


def repeated(call: Callable[[], object], seconds: float = 0.2) -> Side:
    """Returns a side that makes a short call as often as fits into `seconds`.

    Args:
      call: does the work and waits for its end.
      seconds: how long a round of this side takes, about.
    """
    count = 0

    def side() -> float:
        nonlocal count
        if not count:
            call()  # compiles
            started = time.perf_counter()
            call()
            count = max(1, int(seconds / (time.perf_counter() - started)))
        started = time.perf_counter()
        for _ in range(count):
            call()
        return (time.perf_counter() - started) / count

    return side


def milliseconds(costs: Sequence[float]) -> str:
    """Returns the median cost as a cell of a table, in milliseconds."""
    return digits(1e3 * statistics.median(costs))


def digits(number: float) -> str:
    """Returns a number with three digits, or with all that stand before the point.

    Example:
      >>> digits(0.12345), digits(2140.6)
      ('0.123', '2,141')
    """
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def seconds(costs: Sequence[float]) -> str:
    """Returns the median cost and its range as a cell of a table, in seconds."""
    low, high = min(costs), max(costs)
    return f"{statistics.median(costs):.2f} ({low:.2f} to {high:.2f})"


def progress(text: str) -> None:
    """Prints what happens at once, also where the output is a file."""
    print(text, flush=True)


def arguments(
    description: str | None, rounds: int, extra: Iterable[tuple[str, dict]] = ()
) -> argparse.Namespace:
    """Returns the flags of a benchmark.

    Args:
      description: the docstring of its module.
      rounds: default of --rounds.
      extra: further flags, each a name and the options of `add_argument`.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="rounds that count (%(default)s)"
    )
    for name, options in extra:
        parser.add_argument(name, **options)
    return parser.parse_args()


def names(known: Iterable[str]) -> dict[str, Any]:
    """Returns the options of `add_argument` for a comma-separated list of names.

    Args:
      known: the names that there are, which are also the default.
    """
    known = tuple(known)

    def parse(text: str) -> tuple[str, ...]:
        chosen = tuple(name for name in text.split(",") if name)
        unknown = [name for name in chosen if name not in known]
        if unknown or not chosen:
            raise argparse.ArgumentTypeError(
                f"{(unknown or [text])[0]!r} is not one of {', '.join(known)}"
            )
        return chosen

    return {"type": parse, "default": known, "metavar": ",".join(known)}


def command(module: str) -> str:
    """Returns the command line of this process, as a user would type it.

    Args:
      module: name of the benchmark.
    """
    settings = [f"{n}={os.environ[n]}" for n in SETTINGS if n in os.environ]
    cores = sorted(os.sched_getaffinity(0))
    pinned = len(cores) < (os.cpu_count() or 1)
    prefix = ["taskset", "-c", ",".join(map(str, cores))] if pinned else []
    typed = [*settings, *prefix, "python", "-m", f"benchmarks.{module}", *sys.argv[1:]]
    return shlex.join(typed)


def result_path(name: str) -> Path:
    """Returns the place of a result: what is special about the machine is in its name.

    That is `$BENCHMARK_LABEL`, another device than the CPU, or a single core.

    Args:
      name: file name, with its extension.
    """
    special = [os.environ[LABEL]] if LABEL in os.environ else []
    if not machine.on_cpu():
        special.append(jax.devices()[0].platform)
    elif machine.threads() == 1:
        special.append("one_core")
    path = RESULTS / name
    return path.with_stem("-".join([path.stem, *special]))


def elsewhere(name: str) -> str:
    """Returns where the results of the same benchmark on other machines are.

    Args:
      name: of the benchmark.
    """
    found = {*RESULTS.glob(f"{name}.md"), *RESULTS.glob(f"{name}-*.md")}
    others = sorted(path.name for path in found - {result_path(f"{name}.md")})
    links = [f"[{other}]({other})" for other in others]
    if machine.on_cpu() and not any("-gpu" in other for other in others):
        links.append("not measured on an accelerator")
    return f"On other machines: {', '.join(links)}." if links else ""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write(
    name: str,
    title: str,
    command: str,
    text: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
) -> None:
    """Writes and prints results/NAME.md.

    Args:
      name: of the benchmark.
      title: heading of the file.
      command: what was typed.
      text: what was measured, and how.
      header: column titles.
      rows: cells, as text.
    """
    content = (
        f"# {title}\n\n`{command}`\n\n{machine.describe()}.\n\n{text.strip()}\n\n"
        f"{table(header, rows)}\n\n{elsewhere(name)}".rstrip()
        + "\n"
    )
    path = result_path(f"{name}.md")
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    progress(f"\n{content}\n{path}")
