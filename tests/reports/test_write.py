# SPDX-License-Identifier: Apache-2.0
"""A report on disk, and the command that writes it."""

import subprocess
import sys

import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.reports import load_study, write, write_report
from dropout_jax.reports.__main__ import main
from dropout_jax.reports.figures import FIGURES


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "dropout_jax.reports", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def small(ledger, trial):
    """A ledger of two methods and two seeds."""
    return ledger([trial(arm, seed) for arm in ("none", "dropout") for seed in (0, 1)])


@pytest.fixture(scope="module")
def written(small, tmp_path_factory):
    directory = tmp_path_factory.mktemp("report")
    result = run(f"--ledger={small}", f"--out={directory}", "--title=T")
    assert (result.returncode, result.stderr) == (0, "")
    return directory, result.stdout


def test_the_command_writes_everything_and_prints_the_answer(written):
    directory, output = written
    names = {path.name for path in directory.iterdir()}
    without_knobs = {name for name in FIGURES if name[:5] not in ("knobs", "grid.")}
    texts = {"table.md", "table.csv", "table.json", "runs.csv", "captions.md"}
    assert names == without_knobs | texts | {"report.html"}
    assert "‘none’" in output and "test accuracy" in output
    assert str(directory / "report.html") in output.replace("\n", "")


def test_another_process_writes_the_same_bytes(small, written, tmp_path):
    directory, _ = written
    command = (
        f"python -m dropout_jax.reports --ledger={small} --out={directory} --title=T"
    )
    paths = write_report(
        load_study(small), tmp_path / "a" / "b", title="T", command=command
    )
    for name, path in paths.items():
        assert path.read_bytes() == (directory / name).read_bytes(), name


@pytest.fixture
def quick(monkeypatch):
    """Files in place of figures: what is written matters here, not what is drawn."""
    monkeypatch.setattr(write, "figures", lambda study, table: {"curves.png": b"png"})


@pytest.mark.usefixtures("quick")
def test_a_second_report_replaces_the_first_and_leaves_other_files(
    small, tmp_path, monkeypatch
):
    (tmp_path / "mine.txt").write_text("keep")
    study = load_study(small)
    paths = write_report(study, tmp_path, title="first")
    assert {path.name for path in tmp_path.iterdir()} == paths.keys() | {"mine.txt"}
    # A study without curves: the old picture must not stay beside the new page.
    monkeypatch.setattr(write, "figures", lambda study, table: {})
    paths = write_report(study, tmp_path, title="second")
    assert {path.name for path in tmp_path.iterdir()} == paths.keys() | {"mine.txt"}
    assert "curves.png" not in paths
    assert "second" in paths["report.html"].read_text()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "broken", ["dropout_jax.reports.write.page", "pathlib.Path.rename"]
)
def test_a_failure_leaves_the_earlier_report_whole(
    small, tmp_path, monkeypatch, broken
):
    study = load_study(small)
    write_report(study, tmp_path, title="first")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(*arguments, **options):
        raise RuntimeError("planted")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(broken, fail)
        write_report(study, tmp_path, title="second", baseline="dropout")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--ledger=absent.jsonl", "--out={out}"],
            "cannot read the ledger absent.jsonl",
        ),
        (
            ["--ledger={ledger}", "--out={out}", "--baseline=nope"],
            "'nope' is no method",
        ),
        (
            ["--ledger={ledger}", "--out={out}", "--study=cnn"],
            "no trial of study 'cnn'",
        ),
        (["--ledger={ledger}", "--out={ledger}"], "File exists"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(
    small, arguments, message, tmp_path, capsys
):
    places = {"ledger": small, "out": tmp_path / "x"}
    assert main([part.format(**places) for part in arguments]) == 2
    output = capsys.readouterr()
    assert message in output.err and output.out == ""
    assert len(output.err.strip().splitlines()) == 1
    assert not (tmp_path / "x").exists()


def test_an_unknown_baseline_writes_nothing(small, tmp_path):
    with pytest.raises(UserError, match="nope"):
        write_report(load_study(small), tmp_path / "x", title="", baseline="nope")
    assert not (tmp_path / "x").exists()


def test_reports_do_not_import_jax():
    code = "import sys, dropout_jax.reports; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
