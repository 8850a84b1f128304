# SPDX-License-Identifier: Apache-2.0
"""The cache: TFDS prepares it once, and only what is right to the bit is used."""

import shutil
import time

import numpy as np
import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.data import load, sources
from dropout_jax.data.fashion_files import SHA256, read_files

LOAD = (
    "import sys; from dropout_jax.data import load; data = load(source_dir=sys.argv[1])"
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and no source but what a test gives."""
    monkeypatch.setenv("DROPOUT_JAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "SOURCES", ())
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def prepared(idx_files, tmp_path_factory):
    """A cache prepared from the four files. To be read only."""
    directory = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DROPOUT_JAX_CACHE", str(directory))
        load(source_dir=str(idx_files))
    return directory


def test_split_is_the_head_and_the_tail(fashion, idx_files):
    images, labels = read_files(idx_files)["train"]
    assert fashion.sha256 == SHA256
    assert fashion.num_classes == 10
    np.testing.assert_array_equal(fashion.train_images, images[:55_000])
    np.testing.assert_array_equal(fashion.train_labels, labels[:55_000])
    np.testing.assert_array_equal(fashion.validation_images, images[55_000:])
    np.testing.assert_array_equal(fashion.validation_labels, labels[55_000:])
    assert len(fashion.test_images) == len(fashion.test_labels) == 10_000
    assert all(array.dtype == np.uint8 for array in fashion[:6])


def test_cache_alone_is_enough(cache, prepared, fashion, idx_files):
    shutil.copytree(prepared, cache)
    again = load()
    assert again.source == str(idx_files)  # whence it came is kept with it
    for one, other in zip(again[:6], fashion[:6], strict=True):
        np.testing.assert_array_equal(one, other)


def test_records_are_blocks(prepared):
    """Why a cached load is quick: 70 records to decode, not 70,000."""
    from dropout_jax.data.builder import FashionMnistBlocks

    splits = FashionMnistBlocks(data_dir=prepared / "fashion_mnist").info.splits
    assert {name: split.num_examples for name, split in splits.items()} == {
        "train": 60,
        "test": 10,
    }


def test_source_dir_is_checked_even_if_the_cache_is_good(prepared, linked, monkeypatch):
    monkeypatch.setenv("DROPOUT_JAX_CACHE", str(prepared))
    assert load(source_dir=str(linked)).source == str(linked)
    (linked / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError, match="t10k-labels"):
        load(source_dir=str(linked))


def stored(directory):
    return sorted(directory.rglob("*.array_record*"))


def plain(directory):
    return directory / "fashion_mnist/arrays.npz"


def test_a_cached_load_does_without_tfds(python, prepared, tmp_path):
    """Which takes longer to import than the arrays to read."""
    shutil.copytree(prepared, tmp_path / "cache")
    code = (
        "import sys; from dropout_jax.data import load; print(load().sha256,"
        "'tensorflow_datasets' in sys.modules)"
    )
    for expected in (False, True, False):
        answer = python("-c", code).communicate(timeout=60)
        assert answer == (f"{SHA256} {expected}\n", "")
        if not expected:  # without the arrays the records serve, and make them anew
            plain(tmp_path / "cache").unlink()


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "swap", "object"])
def test_damaged_arrays_are_not_used(cache, prepared, fashion, damage):
    """The records of TFDS are, and the arrays are made anew."""
    shutil.copytree(prepared, cache)
    path = plain(cache)
    whole = path.read_bytes()
    content = bytearray(whole)
    if damage == "flip":
        content[2**22] ^= 1
    elif damage == "cut":
        del content[len(content) // 2 :]
    elif damage == "empty":
        content.clear()
    if damage in ("swap", "object"):  # a good file of other content
        with np.load(path) as file:
            others = dict(file)
        others["test_labels"] = others["test_labels"][::-1]
        if damage == "object":
            others["source"] = np.array({"pickled": "code"}, object)
        np.savez(path, **others)
    else:
        path.write_bytes(content)
    np.testing.assert_array_equal(load().test_labels, fashion.test_labels)
    assert path.read_bytes() == whole


def test_what_a_killed_writer_left_goes(cache, prepared):
    shutil.copytree(prepared, cache)
    left = plain(cache).rename(plain(cache).with_name(".arrays.npz.4711.tmp"))
    assert load().sha256 == SHA256
    assert plain(cache).exists() and not left.exists()


def test_what_cannot_go_does_not_stand_in_the_way(cache, prepared):
    shutil.copytree(prepared, cache)
    plain(cache).unlink()
    plain(cache).with_name(".arrays.npz.4711.tmp").mkdir()
    assert load().sha256 == SHA256


def test_a_cache_that_cannot_be_written_serves(cache, prepared, monkeypatch):
    """As it is: only more slowly without the arrays."""
    from dropout_jax.data import arrays

    def full(path, content):
        raise UserError("no room")

    shutil.copytree(prepared, cache)
    plain(cache).unlink()
    monkeypatch.setattr(arrays, "write_atomically", full)
    assert load().sha256 == SHA256
    assert not plain(cache).exists()


@pytest.mark.parametrize("damage", ["flip", "cut", "delete", "empty", "half"])
def test_damaged_cache_is_not_used(cache, prepared, damage):
    """With no source to mend it from, nothing is returned."""
    shutil.copytree(prepared, cache)
    plain(cache).write_bytes(b"")
    for seed, path in enumerate(stored(cache)):
        content = bytearray(path.read_bytes())
        if damage == "flip":
            # Within the compressed images, not the padding between chunks.
            content[np.random.default_rng(seed).integers(2**20, 4 * 2**20)] ^= 1
        elif damage == "cut":
            del content[len(content) // 2 :]
        elif damage == "empty":
            content.clear()
        path.write_bytes(content)
        if damage == "delete":
            path.unlink()
    if damage == "half":
        (cache / "fashion_mnist").rename(cache / "work-1")
    with pytest.raises(UserError, match="nowhere to be had"):
        load()


def test_damaged_cache_is_mended(cache, prepared, idx_files):
    shutil.copytree(prepared, cache)
    plain(cache).unlink()
    stored(cache)[0].write_bytes(b"")
    (cache / "work-dead").mkdir()
    load(source_dir=str(idx_files))
    assert load().sha256 == SHA256
    assert sorted(path.name for path in cache.iterdir()) == ["fashion_mnist", "lock"]


def test_what_tfds_wrote_wrong_is_refused(cache, idx_files, monkeypatch):
    """Verified on the way in and again on the way out."""
    from dropout_jax.data import builder

    blocks = builder.FashionMnistBlocks._generate_examples

    def backwards(self, part):
        return ((-key, block) for key, block in reversed(list(blocks(self, part))))

    monkeypatch.setattr(builder.FashionMnistBlocks, "_generate_examples", backwards)
    with pytest.raises(UserError, match="reads back changed"):
        load(source_dir=str(idx_files))
    assert [path.name for path in cache.iterdir()] == ["lock"]


def test_processes_at_once(python, idx_files, tmp_path):
    """Both get the data set; one prepares it, the other waits and uses that."""
    code = LOAD + (
        "; from dropout_jax.data import builder; print(data.sha256, builder.count)"
    )
    count = (
        "from dropout_jax.data import builder; builder.count = 0; old = builder.prepare"
        "\ndef prepare(*a): builder.count += 1; old(*a)\nbuilder.prepare = prepare\n"
    )
    both = [python("-c", count + code, str(idx_files)) for _ in range(2)]
    answers = [process.communicate(timeout=60) for process in both]
    assert [error for _, error in answers] == ["", ""]
    assert sorted(answer for answer, _ in answers) == [
        f"{SHA256} 0\n",
        f"{SHA256} 1\n",
    ]
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [
        "fashion_mnist",
        "lock",
    ]


def test_killed_in_the_middle(python, idx_files, tmp_path):
    """What a killed preparation left is not used, not in the way, and cleared."""
    process = python("-c", LOAD, str(idx_files))
    deadline = time.monotonic() + 60
    while not list((tmp_path / "cache").glob("work-*/prepared/**/*.array_record*")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.communicate(timeout=60)
    assert list((tmp_path / "cache").glob("work-*"))
    again = python("-c", LOAD + "; print(data.sha256)", str(idx_files))
    assert again.communicate(timeout=60) == (f"{SHA256}\n", "")
    assert not list((tmp_path / "cache").glob("work-*"))


@pytest.mark.parametrize("configured", [True, False])
def test_no_tensorflow_and_not_a_word(python, idx_files, configured):
    """Preparing and reading back, with warnings as errors and TFDS at its loudest.

    What the program itself logs, before or after, is not touched; where it takes long
    the room itself says what it does (`slow`).
    """
    code = (
        "import logging\n"
        + "logging.basicConfig(level=logging.INFO)\n" * configured
        + "from absl import logging as absl; absl.set_verbosity(absl.DEBUG)\n"
        + LOAD
        + "\nassert 'tensorflow_datasets' in sys.modules\n"
        "assert not {'tensorflow', 'jax'} & sys.modules.keys()\n"
        "absl.info('I am still here')"
    )
    process = python("-W", "error", "-c", code, str(idx_files))
    out, error = process.communicate(timeout=60)
    lines = [n for n in error.splitlines() if not n.startswith("INFO:dropout_jax.data")]
    assert (out, lines) == ("", ["INFO:absl:I am still here"])
    assert process.returncode == 0


def test_importing_the_room_is_light(python):
    code = (
        "import sys, dropout_jax.data\n"
        "print({'jax', 'tensorflow', 'tensorflow_datasets'} & sys.modules.keys())"
    )
    assert python("-c", code).communicate(timeout=60) == ("set()\n", "")


def test_cache_that_cannot_be_written(tmp_path, monkeypatch, idx_files):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DROPOUT_JAX_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match="DROPOUT_JAX_CACHE") as caught:
        load(source_dir=str(idx_files))
    assert "\n" not in str(caught.value)


def test_disk_full(python, idx_files, tmp_path):
    """One line; nothing left behind but the lock."""
    code = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n" + LOAD
    )
    process = python("-c", code, str(idx_files))
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert error.splitlines()[-1].startswith("dropout_jax.config.errors.UserError")
    assert "DROPOUT_JAX_CACHE" in error
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["lock"]
