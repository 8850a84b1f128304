# SPDX-License-Identifier: Apache-2.0
"""`python -m dropout_jax.data`: plain lines, and errors in one."""

import pytest

from dropout_jax.data import __main__ as program
from dropout_jax.data.fashion_files import SHA256


def test_prints_what_it_prepared(python, idx_files, tmp_path):
    process = python("-m", "dropout_jax.data", f"--source_dir={idx_files}")
    out, error = process.communicate(timeout=60)
    lines = out.splitlines(keepends=True)
    if lines[0].startswith("preparing Fashion-MNIST in "):  # where that takes long
        del lines[0]
    assert ("".join(lines), error) == (
        "name     fashion_mnist\n"
        f"source   {idx_files}\n"
        f"sha256   {SHA256}\n"
        "images   28 x 28 pixels, uint8, 10 classes\n"
        "splits   55,000 train, 5,000 validation, 10,000 test\n"
        f"cache    {tmp_path / 'cache'}\n",
        "",
    )
    assert process.returncode == 0


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--source_dir=/no/such"], "error: /no/such: has neither train-images"),
        (["--sorce_dir=x"], "error: unrecognized arguments: --sorce_dir=x"),
        (["--name=synthetik"], "error: data.name='synthetik'"),
    ],
)
def test_user_error_is_one_line_and_code_2(capsys, arguments, message):
    assert program.main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(message)
    assert printed.err.count("\n") == 1


def test_synthetic_is_called_so(capsys):
    assert program.main(["--name=synthetic"]) == 0
    printed = capsys.readouterr().out
    assert "source   synthetic: made up" in printed
    assert "512 train, 128 validation, 128 test" in printed
    assert "cache" not in printed
