# SPDX-License-Identifier: Apache-2.0
"""`make torture`: real faults by the hundred, with AMOUNT=quick by the dozen.

Each test counts what it injected and what came out, and asserts it; with the full
amount its line in docs/reliability.md is what it counted.
"""

import os

import pytest

import page
import studies
from dropout_jax.sweeps import kept, work

FULL = os.environ.get("AMOUNT", "quick") == "full"


def pytest_collection_modifyitems(items):
    """Everything in this directory is torture."""
    for item in items:
        if item.path.parent.name == "torture":
            item.add_marker(pytest.mark.torture)


@pytest.fixture(scope="session")
def amount():
    """Returns a function of a quick and a full number: the one that is wanted."""
    return lambda quick, full: full if FULL else quick


@pytest.fixture(scope="session")
def figure():
    """Returns a function that notes a figure: its number, what, target, found."""
    rows = {}

    def note(number, what, target, found):
        rows[str(number)] = (what, target, found)
        print(f"\n{number}. {what}: {found} (target: {target})")

    yield note
    if FULL and rows:
        page.write(rows)


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """That of a user; programs are kept for the tests that come."""
    kept = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("programs"))}
    return {**os.environ, **kept, "JAX_ENABLE_COMPILATION_CACHE": "true"}


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """A finished study of two trials. To be copied, not changed."""
    trials = studies.trials(2)
    study = studies.study_of(tmp_path_factory.mktemp("whole") / "study", trials)
    kept.keep(study)  # what becomes of damaged checkpoints is asked too
    assert work(study, trials, console=studies.console())
    return study
