# SPDX-License-Identifier: Apache-2.0
"""`python -m dropout_jax.data`: get a data set ready and say what it is."""

import sys

from dropout_jax.config.arguments import Parser
from dropout_jax.config.guard import guarded
from dropout_jax.data import Dataset, cache, load


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
    return guarded(lambda: prepare(arguments))


def prepare(arguments: list[str]) -> None:
    """Do so, and raise what is wrong."""
    parser = Parser("python -m dropout_jax.data", __doc__)
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
    options = parser.parse_args(arguments)
    data = load(options.name, source_dir=options.source_dir)
    print(describe(data))
    if options.name == "fashion_mnist":
        print(f"cache    {cache.directory()}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
