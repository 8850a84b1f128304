# SPDX-License-Identifier: Apache-2.0
"""`python -m dropout_jax.data`: get a data set ready and say what it is."""

import argparse
import sys
from typing import NoReturn

from dropout_jax.config.errors import UserError
from dropout_jax.data import Dataset, cache, load


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see --help")


def describe(data: Dataset) -> str:
    """The data set in a few plain lines."""
    height, width = data.train_images.shape[1:]
    sizes = (len(data.train_labels), len(data.validation_labels), len(data.test_labels))
    return "\n".join(
        (
            f"name     {data.name}",
            f"source   {data.source}",
            f"sha256   {data.sha256}",
            f"images   {height} x {width} pixels, uint8, {data.num_classes} classes",
            "splits   {:,} train, {:,} validation, {:,} test".format(*sizes),
        )
    )


def main(arguments: list[str]) -> int:
    """Print the data set that the flags name; the exit code."""
    parser = _Parser(prog="python -m dropout_jax.data", description=__doc__)
    parser.add_argument(
        "--name",
        default="fashion_mnist",
        help="fashion_mnist, synthetic, or the path of an .npz or of IDX files",
    )
    parser.add_argument(
        "--source_dir",
        default="",
        help="directory with Fashion-MNIST's four IDX files (default: find them)",
    )
    try:
        options = parser.parse_args(arguments)
        data = load(options.name, source_dir=options.source_dir)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(describe(data))
    if options.name == "fashion_mnist":
        print(f"cache    {cache.directory()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
