# SPDX-License-Identifier: Apache-2.0
"""What README and the configs say is what the committed ledgers hold."""

from pathlib import Path

import pytest

from dropout_jax import reports
from dropout_jax.config.loading import load_module
from dropout_jax.sweeps import Ledger, plan

ROOT = Path(__file__).parent.parent
COMPARE = load_module(ROOT / "configs" / "compare.py")


@pytest.mark.parametrize("model", COMPARE.CANDIDATES)
def test_chosen_hyperparameters_are_the_best_on_validation(model):
    ledger = Ledger(ROOT / "results" / f"search_{model}.jsonl").by_trial()
    trials = plan(
        "search", COMPARE.get_config(f"search_{model}"), COMPARE.search(model)
    )
    accuracy = {t.arm: ledger[t.id]["result"]["validation"]["accuracy"] for t in trials}
    for method, candidates in COMPARE.CANDIDATES[model].items():
        # The first of equals, as experiments/search.py marks it.
        best = max(
            range(len(candidates)), key=lambda n, m=method: accuracy[f"{m} #{n}"]
        )
        assert COMPARE.METHODS[model][method] == candidates[best], method


@pytest.mark.parametrize("model", COMPARE.CANDIDATES)
def test_every_method_has_the_same_search_budget(model):
    assert len(set(COMPARE.budget(model).values())) == 1


def test_search_ledgers_hold_no_test_results():
    paths = sorted((ROOT / "results").glob("search_*.jsonl"))
    assert paths
    for path in paths:
        assert not any("test" in line["result"] for line in Ledger(path).lines())


def test_readme_shows_what_the_ledgers_hold(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    publish = load_module(ROOT / "experiments" / "publish.py")
    readme = (ROOT / "README.md").read_text()
    shown = 0
    for name, described in publish.published().items():
        path = ROOT / "results" / f"{name}.jsonl"
        if path.exists():
            text = publish.section(name, described, reports.load_study(path))
            assert f"<!-- {name} -->\n{text}<!-- /{name} -->" in readme, name
            shown += 1
    assert shown
