# SPDX-License-Identifier: Apache-2.0
"""What is sealed is read back as it was, or not at all."""

import pytest

from dropout_jax import stored

CONTENT = {"step": 3, "files": {"a": "b"}, "share": 0.5}


def test_what_was_sealed_is_read_back(tmp_path):
    (tmp_path / "sealed.json").write_text(stored.sealed(CONTENT))
    assert stored.read_sealed(tmp_path / "sealed.json") == CONTENT


@pytest.mark.parametrize("text", ["9" * 400, "[1, -" + "9" * 400 + "]", '{"a": 1', "é"])
def test_what_is_no_value_is_damaged(text):
    with pytest.raises(stored.Damaged, match="file is not JSON"):
        stored.parse(text, "file")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("3", "4"),
        ("0.5", "0.50"),
        ("0.5", "Infinity"),
        ("0.5", "1e999"),
        ("0.5", "NaN"),
    ],
)
def test_any_change_is_noticed(tmp_path, old, new):
    text = stored.sealed(CONTENT)
    assert old in text
    (tmp_path / "sealed.json").write_text(text.replace(old, new, 1))
    with pytest.raises(stored.Damaged, match="is not what was written"):
        stored.read_sealed(tmp_path / "sealed.json")
