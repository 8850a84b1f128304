# SPDX-License-Identifier: Apache-2.0
"""The rule of comparisons once more, from its words, with NumPy and SciPy alone.

What reports say is held against this. It shares no line with the package: p-values
count every sign pattern, Holm goes step by step, power is SciPy's noncentral t.
"""

import functools

import numpy as np
from scipy import optimize, stats

MARGINS = {"accuracy": 0.3, "nll": 0.01}


def p_values(values):
    """Two-sided p-value, and the p-values of a mean above and below zero."""
    values = np.asarray(values, float)
    sums = np.zeros(1)
    for value in values:
        sums = np.add.outer(sums, [value, -value]).ravel()
    slack, total = 1e-11 * np.abs(values).sum(), values.sum()
    return (
        np.mean(np.abs(sums) >= abs(total) - slack),
        np.mean(sums >= total - slack),
        np.mean(sums <= total + slack),
    )


def step_down(p_values):
    """Holm 1979: the k-th smallest of m times m - k + 1, never below the one before."""
    adjusted, least = {}, 0.0
    for k, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        least = max(least, min(1.0, p * (len(p_values) - k)))
        adjusted[name] = least
    return adjusted


def t_interval(values, error):
    """Mean and ends; no ends for one value."""
    values = np.asarray(values, float)
    n, mean = len(values), float(np.mean(values))
    if n == 1:
        return mean, np.nan, np.nan
    half = stats.t.isf(error / 2, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
    return mean, mean - half, mean + half


def detectable(values, error):
    """Smallest true mean that the test at this level detects in 80 of 100 studies."""
    deviation = float(np.std(values, ddof=1))
    return deviation * effect(len(values), error) if deviation else 0.0


@functools.cache
def effect(n, error):
    """The same in deviations: by other draws than the package has, one study each."""
    if 2.0 ** (1 - n) > error:
        return np.inf
    if n > 12:
        bound = stats.t.isf(error / 2, n - 1)
        return optimize.brentq(
            lambda shift: 0.8 - stats.nct.sf(bound, n - 1, shift), 0.5, 60
        ) / np.sqrt(n)
    draws = np.random.default_rng(99).normal(size=(400, n))

    def missed(mean):
        return 0.8 - np.mean([p_values(draw + mean)[0] <= error for draw in draws])

    return optimize.bisect(missed, 0.3, 8.0, xtol=0.02)


def judge(differences):
    """What may be said of each comparison of a table.

    Args:
      differences: by (method, measure) the paired differences, each with one value at
        least.

    Returns:
      By the same names: a dict with the group, the numbers, and the family.
    """
    family = len(differences)
    most = max(map(len, differences.values()), default=0)
    differ, equal = {}, {}
    for name, values in differences.items():
        tested = len(values) >= 10 and len(values) == most
        differ[name] = equal[name] = 1.0
        if tested:
            margin = MARGINS[name[1]]
            differ[name] = p_values(values)[0]
            above = p_values(np.asarray(values) + margin)[1]
            below = p_values(np.asarray(values) - margin)[2]
            equal[name] = max(above, below)
    differ, equal = step_down(differ), step_down(equal)
    found = {}
    for name, values in differences.items():
        one = {
            "family": family,
            "pairs": len(values),
            "interval": t_interval(values, 0.05),
            "corrected": t_interval(values, 0.05 / family),
            "higher": sum(v > 0 for v in values),
            "lower": sum(v < 0 for v in values),
            "p": None,
            "detectable": None,
        }
        if len(values) < 10 or len(values) < most:
            one["group"] = "descriptive"
        else:
            one["p"] = differ[name]
            one["equivalence"] = equal[name]
            one["detectable"] = detectable(values, 0.05 / family)
            if differ[name] <= 0.05:
                one["group"] = "higher" if np.mean(values) > 0 else "lower"
            else:
                one["group"] = "equivalent" if equal[name] <= 0.05 else "undecided"
        found[name] = one
    return found


def differences(lines, baseline):
    """Paired differences of a study, from the lines of its ledger.

    Accuracy (percent) is that of the kept parameters; NLL that of the least validation
    NLL, and compared where every finished line has it.
    """
    done = [line for line in lines if line["result"]["status"] == "done"]
    done = [line for line in done if "withdrawn" not in line]
    judged = all("least_nll" in line.get("sets", {}) for line in done)
    values = {}
    for line in done:
        of = values.setdefault(line["arm"], {}).setdefault(line["seed"], {})
        accuracy = line["result"]["test"]["accuracy"]
        # float32 in the ledger: exact by counts, so that ties are ties.
        count = line["result"].get("test_count", 1_000_000)
        of["accuracy"] = 100 * round(accuracy * count) / count
        if judged:
            of["nll"] = line["sets"]["least_nll"]["test"]["nll"]
    reference, found = values.get(baseline, {}), {}
    for arm, by_seed in values.items():
        shared = sorted(set(by_seed) & set(reference))
        if arm == baseline or not shared:
            continue
        for measure in ("accuracy", "nll") if judged else ("accuracy",):
            found[arm, measure] = [
                round(by_seed[s][measure] - reference[s][measure], 9) for s in shared
            ]
    return found
