# SPDX-License-Identifier: Apache-2.0
"""The programs under examples/ run as a reader would run them, and say something."""

import ast
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import nbclient
import nbformat
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
SAYS = {
    "plain_jax.py": "rate 0.8: norm of the weights",
    "own_model.py": "logits (4, 10)",
    "own_transform.py": "expected 2.000",
}


def test_all_examples_are_here():
    assert {p.name for p in (ROOT / "examples").glob("*.py")} == set(SAYS)


@pytest.fixture
def run(quick_environment):
    """Returns a function from a command line to what it printed."""

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            env={**quick_environment, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize("name", SAYS)
def test_example(name, run):
    assert SAYS[name] in run(f"examples/{name}")


@pytest.mark.parametrize("name", ["own_model.py", "own_transform.py"])
def test_the_command_of_an_example_trains(name, tmp_path, run):
    doc = ast.get_docstring(ast.parse((ROOT / "examples" / name).read_text()))
    command = re.search(r"^python (train\.py .*)", doc.replace("\\\n", " "), re.M)
    out = run(*shlex.split(command[1]), f"--workdir={tmp_path}/run")
    assert "test accuracy" in out and (tmp_path / "run" / "result.json").exists()


NOTEBOOK = ROOT / "examples" / "quickstart.ipynb"


@pytest.mark.long
def test_the_notebook_runs_and_answers():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    stored = [kinds(cell) for cell in notebook.cells if cell.cell_type == "code"]
    place = {"metadata": {"path": str(NOTEBOOK.parent)}}
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources=place
    )
    client.execute()  # raises for the first cell that does
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    # What is committed is what it shows.
    assert [kinds(cell) for cell in cells] == stored
    texts = ["".join(str(out) for out in cell.outputs) for cell in cells]
    digests = re.findall(r"metrics ([0-9a-f]{12})", "".join(texts))
    assert len(digests) == 2 and len(set(digests)) == 1
    answer = cells[-2].outputs[0].data["text/markdown"]
    assert "| gaussian dropout |" in answer
    assert "No test was made, because the comparisons have under 10 paired" in answer
    assert "in 3 of 3 seeds with ‘dropout’" in answer


def kinds(cell):
    """What a cell shows, without how often: text, picture, Markdown."""
    return {
        kind
        for out in cell.outputs
        for kind in out.get("data", {"stream": ""})
        if kind != "text/html"
    }


def test_the_transform_of_the_example_keeps_the_contract():
    """Its moments: test_registry.py."""
    uniform = runpy.run_path(str(ROOT / "examples" / "own_transform.py"))
    noise, key = uniform["uniform_noise"], jax.random.key(0)
    x = jnp.ones((50, 40), jnp.bfloat16)
    assert noise(key, x, 0.5).dtype == jnp.bfloat16
    assert noise(None, x, 0.5, deterministic=True) is x
    rows = noise(key, x, 0.5, shared_axes=(-1,))
    np.testing.assert_array_equal(rows, jnp.broadcast_to(rows[:, :1], rows.shape))
    assert len(np.unique(np.asarray(rows, np.float32))) > 10
    units = noise(key, x, jnp.linspace(0.0, 1.0, 40))
    assert (units[:, 0] == 1).all() and float(units[:, -1].std()) > 0.3
    assert noise(key, 2.0, 0.5).shape == ()
    assert jax.grad(lambda rate: noise(key, x, rate).sum().astype("f4"))(0.5) == 0
    for wrong, says in (
        ((key, jnp.ones(3, int), 0.5), "floating dtype"),
        ((key, x, 1.5), "rate is 1.5"),
        ((None, x, 0.5), "needs no key"),
    ):
        with pytest.raises((TypeError, ValueError), match=says):
            noise(*wrong)
