# SPDX-License-Identifier: Apache-2.0
"""The mistakes to plant belong to the code as it is."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def mutations(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "mutations"))
    import planted

    return planted.MUTATIONS


def test_every_mistake_can_still_be_planted(mutations):
    public = [mutation for mutation in mutations if mutation.public]
    assert len(public) >= 8
    for mutation in mutations:
        text = (ROOT / mutation.file).read_text()
        assert text.count(mutation.old) == 1, mutation.what
        assert mutation.old != mutation.new
        ast.parse(text.replace(mutation.old, mutation.new))
        for test in mutation.tests:
            assert (ROOT / "tests" / test).is_file()
    assert len(mutations) >= 40
    assert len({m.what for m in mutations}) == len(mutations)
