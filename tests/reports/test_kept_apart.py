# SPDX-License-Identifier: Apache-2.0
"""Results of different inputs in one ledger: refused, or methods of their own."""

import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.reports import __main__ as command
from dropout_jax.reports import load_study, markdown, tabulate, verdict, write_report

INPUTS = {"data": "a" * 64, "plugin": "b" * 64, "jax_enable_x64": False}


@pytest.fixture
def line(trial):
    """Returns a function that makes a ledger line with some inputs."""

    def make(arm, seed, *, config=(), circumstances=(), **inputs):
        made = trial(arm, seed)
        made["config"] |= {"plugin": "plug.py", **dict(config)}
        part = {"step": 0, "inputs": {**INPUTS, **inputs}, "versions": {"jax": "1"}}
        made["parts"] = [{**part, **dict(circumstances)}]
        made["data_sha256"] = made["parts"][0]["inputs"]["data"]
        return made

    return make


OTHERS = [
    ("data", "c" * 64, "data fashion_mnist cccccccccccc...", "data cccccccc"),
    ("plugin", "d" * 64, "plugin plug.py dddddddddddd...", "plugin dddddddd"),
    ("jax_enable_x64", True, "jax_enable_x64=True", "jax_enable_x64=True"),
]


@pytest.mark.parametrize("name, value, shown, label", OTHERS)
def test_one_line_names_both(line, ledger, tmp_path, capsys, name, value, shown, label):
    path = ledger(
        [line("none", s) for s in (0, 1)] + [line("none", 2, **{name: value})]
    )
    with pytest.raises(UserError) as error:
        load_study(path)
    said = str(error.value)
    assert f"{path}:3: {shown} ('none', seed 2), but {path}:1 has" in said
    flags = [f"--ledger={path}", f"--out={tmp_path}"]
    assert command.main(flags) == 2
    assert capsys.readouterr().err == f"error: {said}\n"
    study = load_study(path, accept_changes=True)
    assert study.arms == ("none", f"none [{label}]")
    assert len(study.done("none")) == 2
    assert any(shown in note for note in study.notes)
    assert command.main([*flags, "--accept_changes"]) == 0


@pytest.mark.parametrize("name, value, shown, label", OTHERS)
def test_rows_kept_apart_are_never_paired(line, ledger, name, value, shown, label):
    changed = {name: value}
    lines = [line(arm, seed) for arm in ("none", "dropout") for seed in range(4)]
    lines += [line("dropout", seed, **changed) for seed in range(4)]
    with pytest.raises(UserError, match="must not be averaged or compared"):
        load_study(ledger(lines))
    study = load_study(ledger(lines), accept_changes=True)
    table = tabulate(study, baseline="none")
    rows = {row.arm: row for row in table.rows}
    assert rows["dropout"].comparisons["accuracy"].seeds == (0, 1, 2, 3)
    assert rows[f"dropout [{label}]"].comparisons == {}
    alone = tabulate(load_study(ledger(lines[:8])), baseline="none")
    assert rows["dropout"].comparisons == alone.rows[1].comparisons
    assert "dropout [" not in verdict(table)


def test_across_methods_too(line, ledger):
    """Each method has one data set, and they are not the same."""
    lines = [line("none", s) for s in (0, 1)]
    lines += [line("dropout", s, data="c" * 64) for s in (0, 1)]
    with pytest.raises(UserError, match=r"'dropout', seed 0\), but .*aaaaaaaaaaaa"):
        load_study(ledger(lines))
    study = load_study(ledger(lines), accept_changes=True)
    assert study.arms == ("none", "dropout [data cccccccc]")
    assert not study.comparable(*study.arms)


def test_methods_of_other_data_by_configuration_are_compared(line, ledger):
    own = {"data": {"name": "own.npz"}}
    lines = [line("none", s) for s in (0, 1)]
    lines += [line("other data", s, config=own, data="c" * 64) for s in (0, 1)]
    study = load_study(ledger(lines))
    assert study.arms == ("none", "other data") and study.notes == ()
    table = tabulate(study, baseline="none")
    assert table.rows[1].comparisons["accuracy"].seeds == (0, 1)
    # One of them changes: the other is compared with each.
    lines += [line("other data", s, config=own, data="e" * 64) for s in (0, 1)]
    study = load_study(ledger(lines), accept_changes=True)
    assert study.arms == ("none", "other data", "other data [data eeeeeeee]")
    assert study.comparable("none", study.arms[2])
    assert not study.comparable(*study.arms[1:])


def test_lines_that_do_not_know_an_input(trial, line, ledger):
    old = {**trial("none", 0), "data_sha256": "a" * 64, "device": "cpu, 1 threads"}
    old |= {"versions": {"jax": "1"}}
    old["config"]["plugin"] = "plug.py"
    study = load_study(ledger([old, line("none", 1)]))
    assert len(study.done("none")) == 2 and study.notes == ()
    # With which of two values they were computed is not known.
    two = [old, line("none", 1), line("none", 2, plugin="d" * 64)]
    study = load_study(ledger(two), accept_changes=True)
    names = ("none [plugin unknown]", "none", "none [plugin dddddddd]")
    assert study.arms == names


def test_lines_of_format_1_count_as_computed_with_the_settings_of_jax(
    trial, line, ledger
):
    old = {**trial("none", 0), "data_sha256": "a" * 64}
    old["config"]["plugin"] = "plug.py"
    two = [old, line("none", 1), line("none", 2, jax_enable_x64=True)]
    study = load_study(ledger(two), accept_changes=True)
    assert study.arms == ("none", "none [jax_enable_x64=True]")
    assert len(study.done("none")) == 2
    with pytest.raises(UserError, match="must not be averaged or compared"):
        load_study(ledger([old, line("none", 2, jax_enable_x64=True)]))


def test_a_run_that_mixes_inputs_is_neither(line, ledger):
    mixed = line("none", 2)
    later = {**mixed["parts"][0], "step": 90}
    later["inputs"] = {**later["inputs"], "data": "c" * 64}
    mixed["parts"].append(later)
    lines = [line("none", 0), line("none", 1, data="c" * 64), mixed]
    study = load_study(ledger(lines), accept_changes=True)
    assert study.arms[2] == "none [data aaaaaaaa, then data cccccccc]"
    said = "data aaaaaaaaaaaa... before step 90, data cccccccccccc... from there."
    assert any(note.endswith(said) for note in study.notes)
    alone = load_study(ledger([mixed]))  # nothing to compare it with
    assert any("it mixes data" in note for note in alone.notes)


def test_what_a_file_says_is_no_more_than_text(line, ledger):
    """Whatever stands where an input should."""
    strange = {"\x1b[2J[/b]": [1], "data": 5, "plugin": {"a": "\x1b[2J"}}
    lines = [line("none", 0), line("none", 1, **strange)]
    lines[1]["data_sha256"] = "a" * 64
    lines[1]["parts"][0] |= {"versions": {"jax": 5}, "device": [], "flags": {"x": {}}}
    lines[1]["parts"][0]["vector_extensions"] = [3]
    with pytest.raises(UserError) as error:
        load_study(ledger(lines))
    assert str(error.value).isprintable()
    study = load_study(ledger(lines), accept_changes=True)
    assert all(map(str.isprintable, (*study.arms, *study.notes)))
    assert study.notes and len(study.arms) == 2


def test_what_changes_rounding_is_said(line, ledger, tmp_path):
    here = {"threads": 1, "processor": "A", "vector_extensions": ["avx2"]}
    there = {"threads": 2, "processor": "B", "versions": {"jaxlib": "2"}}
    lines = [
        line("none", 0, circumstances={**here, "versions": {"jaxlib": "1"}}),
        line("none", 1, circumstances=there),
    ]
    study = load_study(ledger(lines))
    (note,) = study.notes
    assert "jaxlib: 1, 2; threads: 1, 2; processor: A, B" in note
    assert note.startswith("Runs come from different circumstances")
    assert note in markdown(tabulate(study))
    page = write_report(study, tmp_path, title="t", baseline="none")["report.html"]
    assert "different circumstances" in page.read_text()
    # A run that went on elsewhere.
    lines[0]["parts"].append({**lines[0]["parts"][0], "step": 5, "threads": 4})
    notes = load_study(ledger(lines)).notes
    assert notes[-1] == "1 run went on in other circumstances."
    same = load_study(ledger([line("none", s, circumstances=here) for s in (0, 1)]))
    assert same.notes == ()


LONG = "--xla_cpu_enable_fast_math=true " * 4
ALIKE = [
    ("XLA_FLAGS", LONG + "--xla_a=true", LONG + "--xla_b=true"),
    ("data", "c" * 63 + "1", "c" * 63 + "2"),  # eight digits are shown
    ("XLA_FLAGS", "a b", "a\nb"),  # a label is one line
]


@pytest.mark.parametrize("name, one, other", ALIKE)
def test_inputs_whose_labels_read_alike_are_never_averaged(
    line, ledger, name, one, other
):
    lines = [line(arm, seed) for arm in ("none", "dropout") for seed in (0, 1)]
    for line_ in lines:
        line_["parts"][0]["inputs"].setdefault(name, "")
    lines += [line("none", seed, **{name: one}) for seed in (0, 1)]
    lines += [line("none", seed, **{name: other}) for seed in (2, 3, 4)]
    lines += [line("dropout", seed, **{name: other}) for seed in (2, 3)]
    study = load_study(ledger(lines), accept_changes=True)
    first, second = (arm for arm in study.arms if arm.startswith("none ["))
    assert [len(study.done(arm)) for arm in (first, second)] == [2, 3]
    assert second == f"{first[:-1]} (2)]"
    # The same inputs have the same label with each method.
    assert study.arms[-1] == second.replace("none", "dropout", 1)
    assert study.comparable(second, study.arms[-1])
    assert not study.comparable(first, study.arms[-1])


def test_a_label_never_makes_the_name_of_another_method(line, ledger):
    named = "none [data cccccccc]"
    lines = [line("none", 0), line("none", 1, data="c" * 64), line(named, 0)]
    study = load_study(ledger(lines), accept_changes=True)
    assert study.arms == ("none", f"{named} (2)", named)
