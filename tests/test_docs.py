# SPDX-License-Identifier: Apache-2.0
"""What is written is true: examples run, commands parse, everything is documented."""

import ast
import doctest
import importlib
import importlib.util
import pkgutil
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import dropout_jax
from dropout_jax import training, transforms
from dropout_jax.config import command_line, defaults
from dropout_jax.config.loading import override
from dropout_jax.sweeps.__main__ import WITH_CONFIG, WITHOUT_CONFIG

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(dropout_jax.__path__, "dropout_jax.")
    if not found.name.endswith("__main__")  # running it is its import
)
FOLDERS = ("dropout_jax", "configs", "experiments", "examples", "benchmarks")
SOURCES = sorted(
    [ROOT / "train.py", *(p for f in FOLDERS for p in (ROOT / f).rglob("*.py"))]
)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


# `test_file.py`, `folder/test_file.py::test_name`, or `test_name_of_many_words`.
NAMED_TEST = (
    r"`(?:[\w/]*/)?(test_\w+\.py)?(?:::)?((?<=::)test_\w+|test(?:_[^\W_]+){3,})?`"
)


def relative(path):
    return str(path.relative_to(ROOT))


# --- docstrings ---------------------------------------------------------------


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner()
    said = []
    for test in doctest.DocTestFinder().find(module, name):
        runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)


def test_a_wrong_example_would_be_noticed():
    runner = doctest.DocTestRunner()
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "x", None, None)
    runner.run(test, out=lambda text: None)
    assert runner.failures == 1


def test_there_are_examples():
    found = (re.findall(r"^\s+>>> ", p.read_text(), re.M) for p in SOURCES)
    assert sum(map(len, found)) > 80


def undocumented(path):
    """Public modules, classes and functions of a file without a docstring."""
    tree = ast.parse(path.read_text())
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = [("module", tree)]
    for node in tree.body:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            nodes.append((node.name, node))
            if isinstance(node, ast.ClassDef):
                nodes += [
                    (f"{node.name}.{inner.name}", inner)
                    for inner in node.body
                    if isinstance(inner, kinds) and not inner.name.startswith("_")
                ]
    return [name for name, node in nodes if not ast.get_docstring(node)]


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_source_file_is_short_licensed_and_documented(path):
    lines = path.read_text().splitlines()
    assert lines[0] == "# SPDX-License-Identifier: Apache-2.0"
    assert len(lines) <= 350
    assert undocumented(path) == []
    assert path.name != "utils.py"


# --- commands -----------------------------------------------------------------


def code_blocks(text, languages):
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S):
        if language in languages:
            yield block


def commands():
    """Every command in a page's code blocks and a script's docstring."""
    for page in PAGES:
        for block in code_blocks(page.read_text(), ("", "bash", "sh", "console")):
            yield from ((relative(page), line) for line in joined(block))
    for path in SOURCES:
        doc = ast.get_docstring(ast.parse(path.read_text())) or ""
        yield from ((relative(path), line) for line in joined(doc))


def joined(text):
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip().removeprefix("$ ").replace(".venv/bin/", "")
        if re.match(r"(python|make)( |$)", line):
            yield re.sub(r"\s+", " ", line)


COMMANDS = sorted({command for _, command in commands()})


@pytest.fixture
def parse_only(monkeypatch):
    """Lets a script parse its flags and do nothing more; returns its exit code."""
    main = command_line.main
    monkeypatch.setattr(
        command_line, "main", lambda run, **kw: main(lambda flags: None, **kw)
    )
    monkeypatch.chdir(ROOT)

    def parse(script, arguments):
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(ROOT / script), run_name="__main__")
        return end.value.code

    return parse


def check(command, parse):
    """Fails unless the command names what exists, with flags that parse."""
    program, *words = shlex.split(command, comments=True)
    words = words[: words.index(">")] if ">" in words else words
    if program == "make":
        make = ["make", "--dry-run", *words]
        done = subprocess.run(
            make, cwd=ROOT, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
    elif words[0] == "-m":
        assert importlib.util.find_spec(words[1]) is not None
        package = importlib.util.find_spec(words[1]).submodule_search_locations
        assert not package or importlib.util.find_spec(f"{words[1]}.__main__")
        if words[1] == "dropout_jax.sweeps" and words[2:]:
            assert words[2] in {*WITH_CONFIG, *WITHOUT_CONFIG}, command
            if words[2] in WITH_CONFIG:
                assert parse("dropout_jax/sweeps/__main__.py", words[2:]) == 0, command
    else:
        script, *arguments = words
        assert (ROOT / script).is_file()
        if "command_line.main(" in (ROOT / script).read_text():
            assert parse(script, arguments) == 0, command


@pytest.mark.parametrize("command", COMMANDS)
def test_a_written_command_is_one_that_runs(command, parse_only):
    check(command, parse_only)


def makefile_commands():
    names = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M)
    assert {"compare", "results", "search", "test"} < set(names)
    # Nothing is run: make prints what it would run, every pattern filled in.
    make = ["make", "--dry-run", "--always-make", *names]
    done = subprocess.run(make, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^\.venv/bin/(python (?!-m pip).*)$", done.stdout, re.M)
    return sorted(set(found))


@pytest.mark.parametrize("command", makefile_commands())
def test_a_command_of_the_makefile_is_one_that_runs(command, parse_only):
    check(command, parse_only)


@pytest.mark.parametrize(
    "command",
    [
        "python train.py --config=configs/cnn.py --config.sede=3 --workdir=runs/a",
        "python train.py --config=configs/mpl.py --workdir=runs/a",
        "python -m dropout_jax.sweeps run --sedes=3 --study=studies/a",
        "python -m dropout_jax.sweeps rnu --study=studies/a",
        "python experiments/none.py",
        "python -m dropout_jax.nothing",
        "make compear",
    ],
)
def test_a_wrong_command_would_be_noticed(command, parse_only):
    with pytest.raises(AssertionError):
        check(command, parse_only)


def test_readme_names_the_two_commands_first():
    first = next(code_blocks((ROOT / "README.md").read_text(), ("bash",)))
    assert [line.split("#")[0].strip() for line in first.splitlines()] == [
        "make compare",
        "make test",
    ]


WITH_PYTHON = [page for page in PAGES if "```python" in page.read_text()]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A directory with what the pages take for granted: data, ledgers and a run."""
    path = tmp_path_factory.mktemp("pages")
    (path / "results").symlink_to(ROOT / "results")
    arrays = {}
    for split in ("train", "validation", "test"):
        arrays[f"{split}_images"] = np.zeros((20, 28, 28), np.uint8)
        arrays[f"{split}_labels"] = np.arange(20) % 10
    np.savez(path / "mine.npz", **arrays)
    fields = {"data.name": "synthetic", "data.train_size": 64, "train.epochs": 1}
    fields |= {"model.widths": (4,), "train.batch_size": 32}
    training.run(override(defaults(), fields), path / "runs" / "a")
    return path


@pytest.mark.parametrize("page", WITH_PYTHON, ids=relative)
def test_python_of_the_pages_runs(page, workplace, monkeypatch, capsys):
    """The blocks of a page build on each other, as they are read."""
    monkeypatch.chdir(workplace)
    names = {
        "__name__": "page",
        "images": np.zeros((20, 28, 28), np.uint8),
        "logits": jnp.zeros((20, 10)),
        "labels": jnp.arange(20) % 10,
    }
    for block in code_blocks(page.read_text(), ("python",)):
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_to_files_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_tests_that_pages_name_are_there():
    files = {
        path.name: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")
    }
    defined = set(re.findall(r"^def (test_\w+)", "\n".join(files.values()), re.M))
    named = {page.stem: re.findall(NAMED_TEST, page.read_text()) for page in PAGES}
    for page, tests in named.items():
        for file, test in tests:
            assert not file or file in files, (page, file)
            where = (
                re.findall(r"^def (test_\w+)", files[file], re.M) if file else defined
            )
            assert not test or test in where, (page, test)
    assert len(named["claims"]) > 60 and len(named["reproducibility"]) > 8


def test_every_transform_has_its_picture_in_the_docs(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    drawn = importlib.import_module("draw_transforms")
    settings = drawn.SETTINGS
    page = (ROOT / "docs" / "transforms.md").read_text()
    assert all(f"`{name}`" in page for name in transforms.names())
    for name in (*settings, *drawn.FORMS):
        assert f"](transforms/{name}.png)" in page
        assert (ROOT / "docs" / "transforms" / f"{name}.png").stat().st_size > 1000
    assert set(settings) == set(transforms.names())
