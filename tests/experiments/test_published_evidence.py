# SPDX-License-Identifier: Apache-2.0
"""What experiments and reproductions have published, and what it may say."""

import json

import pytest

from experiments import evidence, reproductions


def test_no_check_rests_on_fewer_seeds_than_its_kind_needs():
    """Of what is published: under 10 pairs nothing holds, and nothing is shown."""
    compared = 0
    for name in evidence.experiments():
        for check in (evidence.found(name) or {"checks": []})["checks"]:
            for one in check.get("comparisons", ()):
                few = len(one["values"]) < 10
                assert (check["kind"] == "description") == (one["p_value"] is None)
                assert (one["p_value"] is None) or not few, (name, check["name"])
                compared += 1
            if check["kind"] in ("description", "estimate"):
                assert check["holds"] is None and not check["decided"], check["name"]
    assert compared > 50


def test_a_check_is_found_by_its_name():
    assert evidence.check_of("E14", "the same seed, the same bits")["holds"]
    with pytest.raises(ValueError, match="E14 has no check 'seeds differ', but the"):
        evidence.check_of("E14", "seeds differ")


def test_the_page_of_each_is_that_of_its_json():
    for name in evidence.experiments():
        record = evidence.found(name)
        if record is not None:
            path = evidence.pictures(quick=False) / f"{name}.md"
            assert path.read_text() == evidence.page(record), name


def test_a_method_of_a_comparison():
    found = reproductions.cell(["results/compare_mlp.jsonl", "none"])
    path = evidence.ROOT / "results/compare_mlp.jsonl"
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    tests = [one["result"]["test"] for one in lines if one["arm"] == "none"]
    # By counts of images: accuracies of a ledger are float32.
    right = [round(10_000 * test["accuracy"]) for test in tests]
    mean = sum(right) / len(right) / 100
    assert found.startswith(f"{mean:.2f} [")
    with pytest.raises(ValueError, match="has no method 'nothing'"):
        reproductions.cell(["results/compare_mlp.jsonl", "nothing"])


def test_the_orders_of_the_page_are_one_family():
    every = reproductions.rows()
    ranks = [rank for row in every for rank in row.get("ranks", ())]
    found = reproductions.compared(every)
    assert {one.family for one in found.values()} == {len(ranks)}
    for one in found.values():
        assert (one.p_value is None) == (len(one.values) < 10)


def test_each_is_judged_by_one_rule_whose_parts_are_there():
    for row in reproductions.rows():
        rules = [name for name in ("number", "ranks", "checks") if name in row]
        assert len(rules) == 1 and "within" not in row, row
        for check in row.get("checks", ()):
            name, _, check_name = check.partition(": ")
            assert evidence.check_of(name, check_name)["verdict"]


def test_the_page_is_that_of_the_results(tmp_path):
    reproductions.main(tmp_path / "page.md")
    assert reproductions.PATH.read_text() == (tmp_path / "page.md").read_text()
