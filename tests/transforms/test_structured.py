# SPDX-License-Identifier: Apache-2.0
"""Spatial dropout, stochastic depth and DropBlock: which elements share their fate."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax.transforms import (
    drop_path,
    dropblock,
    dropblock_moments,
    dropblock_seed_rate,
    dropout,
    linear_depth_rates,
    spatial_dropout,
)
from dropout_jax.transforms.dropblock_rate import counts

KEY = jax.random.key(61)


@pytest.mark.parametrize("sides", [(9,), (5, 6), (3, 4, 5)], ids=str)
def test_spatial_dropout_drops_whole_maps(sides):
    ones = jnp.ones((8, *sides, 16))
    y = spatial_dropout(KEY, ones, 0.4)
    maps = y.reshape(8, -1, 16)
    np.testing.assert_array_equal(maps, jnp.broadcast_to(maps[:, :1], maps.shape))
    assert (maps[:, 0] == 0).any() and (maps[:, 0] > 0).any()
    space = tuple(range(1, 1 + len(sides)))
    np.testing.assert_array_equal(y, dropout(KEY, ones, 0.4, shared_axes=space))
    # Not one mask per place for all channels, as the textbook's section has it.
    assert (maps[:, 0, 0] != maps[:, 0, 1]).any()


def test_spatial_dropout_with_channels_first():
    y = spatial_dropout(KEY, jnp.ones((8, 16, 3, 3)), 0.4, channel_axis=1)
    np.testing.assert_array_equal(y, jnp.broadcast_to(y[..., :1, :1], y.shape))
    assert (y != y[:, :1]).any() and (y != y[:1]).any()


def test_drop_path_drops_whole_samples():
    y = drop_path(KEY, jnp.ones((64, 5, 3)), 0.25)
    np.testing.assert_array_equal(y, jnp.broadcast_to(y[:, :1, :1], y.shape))
    assert set(np.unique(y)) == {0.0, np.float32(1 / 0.75)}
    whole = drop_path(KEY, jnp.ones((64, 5)), 0.25, shared_axes=(0,))
    assert np.unique(whole).size == 1


def test_axes_that_do_not_exist_are_refused():
    with pytest.raises(
        ValueError, match="batch_axis is 0 and channel_axis is 3; x has 3"
    ):
        spatial_dropout(KEY, jnp.ones((2, 3, 4)), 0.5, channel_axis=3)
    with pytest.raises(ValueError, match="two different ones"):
        spatial_dropout(KEY, jnp.ones((2, 3, 4)), 0.5, channel_axis=-3)
    with pytest.raises(ValueError, match="two different ones"):
        options = {"batch_axis": 1, "channel_axis": 1}
        spatial_dropout(KEY, jnp.ones((2, 3, 4)), 0.5, **options)
    with pytest.raises(ValueError, match="batch_axis is 2; x has 2 axes"):
        drop_path(KEY, jnp.ones((2, 3)), 0.5, batch_axis=2)


def test_depth_rates_rise_linearly():
    np.testing.assert_allclose(linear_depth_rates(0.5, 5), [0.1, 0.2, 0.3, 0.4, 0.5])
    traced = jax.jit(lambda rate: linear_depth_rates(rate, 2))(0.4)
    np.testing.assert_allclose(traced, [0.2, 0.4])
    with pytest.raises(ValueError, match=r"max_rate is 1\.5"):
        linear_depth_rates(1.5, 3)
    with pytest.raises(ValueError, match="depth is 0"):
        linear_depth_rates(0.5, 0)


MAPS = [
    ((7, 7), 7),
    ((14, 14), 7),
    ((28, 28), 7),
    ((9, 5), 4),
    ((8,), 3),
    ((5,) * 3, 2),
]


def realised(gamma, sides, block):
    n = counts(sides, block).astype(np.float64)
    return -np.expm1(n * np.log1p(-float(gamma))).mean()


@pytest.mark.parametrize(("sides", "block"), MAPS, ids=str)
def test_the_exact_seed_rate_drops_what_is_asked(sides, block):
    jitted = jax.jit(lambda rate: dropblock_seed_rate(rate, sides, block))
    for rate in (1e-5, 0.01, 0.1, 0.5, 0.9, 0.999):
        gamma = dropblock_seed_rate(rate, sides, block)
        assert abs(realised(gamma, sides, block) / rate - 1) < 1e-5
        np.testing.assert_allclose(jitted(rate), gamma, rtol=1e-5)
    assert dropblock_seed_rate(0.0, sides, block) == 0.0
    assert dropblock_seed_rate(1.0, sides, block) == 1.0


def test_published_seed_rates_miss_it():
    """The paper's formula drops less than asked; timm's, where it draws, far more."""
    paper = [
        realised(dropblock_seed_rate(0.1, (s, s), 7, "paper"), (s, s), 7)
        for s in (14, 28)
    ]
    np.testing.assert_allclose(paper, [0.093, 0.094], atol=0.001)
    # timm divides by the places where a block fits, but draws everywhere.
    gamma = float(dropblock_seed_rate(0.1, (7, 7), 7, "paper"))
    along = [sum(abs(i - seed) <= 3 for seed in range(7)) for i in range(7)]
    everywhere = -np.expm1(np.multiply.outer(along, along) * np.log1p(-gamma)).mean()
    np.testing.assert_allclose(everywhere, 0.930, atol=0.001)


@pytest.mark.parametrize("side", [7, 14, 28])
def test_blocks_cover_the_share_that_is_asked(side):
    """Counted on 2**14 maps.

    At 5 standard errors a false alarm has a probability below 1e-6, also where the
    map goes or stays as a whole and the share is skewed most.
    """
    ones = jnp.ones((2**14, side, side))

    def off(rate, seed_rate):
        y = dropblock(KEY, ones, rate, seed_rate=seed_rate)
        shares = np.asarray((y == 0).mean((1, 2)), np.float64)
        return abs(shares.mean() - 0.1) / (shares.std() / np.sqrt(shares.size))

    assert off(0.1, "exact") < 5 < off(0.12, "exact")
    # One block fits on 7 x 7, where the paper's formula is exact too.
    assert (off(0.1, "paper") > 5) == (side > 7)


def test_blocks_are_blocks():
    """What is dropped is a union of whole blocks, whose seeds are those of the key."""
    x = jnp.ones((4, 10, 9, 2))
    rate, block = 0.3, 3
    y = np.asarray(dropblock(KEY, x, rate, block_size=block))
    gamma = dropblock_seed_rate(rate, (10, 9), block)
    seeds = np.asarray(jax.random.bernoulli(KEY, gamma, (4, 8, 7, 2)))
    expected = np.ones(x.shape, bool)
    for n, i, j, c in zip(*np.nonzero(seeds), strict=True):
        expected[n, i : i + block, j : j + block, c] = False
    np.testing.assert_array_equal(y > 0, expected)
    n = counts((10, 9), block)[None, :, :, None]
    keep = (1 - np.float64(gamma)) ** n
    np.testing.assert_allclose(y, np.where(expected, 1 / keep, 0), rtol=1e-4)


def test_dropblock_rescaled_by_the_realised_count():
    x = jnp.ones((4, 10, 9, 2))
    y = dropblock(KEY, x, 0.3, block_size=3, rescale="count")
    np.testing.assert_allclose(y.sum(), x.sum(), rtol=1e-5)
    same = dropblock(KEY, x, 0.3, block_size=3)
    np.testing.assert_array_equal(y == 0, same == 0)
    assert np.unique(y).size == 2 and np.unique(same).size > 2


def test_dropblock_rescaled_by_count_under_jit_and_vmap():
    """Each draw is divided by the share that it kept itself, of all that it saw."""
    keys, x = jax.random.split(KEY, 3), jax.random.normal(KEY, (2, 6, 5, 3))

    def run(key, x):
        return dropblock(key, x, 0.3, block_size=2, rescale="count")

    loop = jnp.stack([run(key, x) for key in keys])
    kept = np.stack([dropblock(key, x, 0.3, block_size=2) != 0 for key in keys])
    shares = kept.mean((1, 2, 3, 4), keepdims=True)
    assert np.unique(shares).size == 3
    np.testing.assert_allclose(loop, x[None] * kept / shares, rtol=1e-6)
    jitted = jax.jit(run)
    np.testing.assert_array_equal(jnp.stack([jitted(k, x) for k in keys]), loop)
    over_keys = jax.jit(jax.vmap(run, (0, None)))(keys, x)
    np.testing.assert_array_equal(over_keys, loop)
    rows = jnp.stack([run(KEY, x[i : i + 1]) for i in range(2)])
    over_rows = jax.vmap(lambda row: run(KEY, row[None]))(x)
    np.testing.assert_array_equal(over_rows, rows)


def test_dropblock_edge_rates_sharing_and_selection():
    x = jnp.full((2, 6, 6, 3), jnp.nan)
    for rate in (1.0, jnp.ones((3,))):
        run = jax.jit(lambda x, r: dropblock(KEY, x, r, block_size=2))
        np.testing.assert_array_equal(run(x, rate), jnp.zeros_like(x))
        gradient = jax.grad(lambda x, r=rate: dropblock(KEY, x, r, block_size=2).sum())
        np.testing.assert_array_equal(gradient(x), jnp.zeros_like(x))
    numbers = jax.random.normal(KEY, x.shape)
    still = dropblock(KEY, numbers, 0.0, block_size=2)
    np.testing.assert_array_equal(still, numbers)
    shared = dropblock(KEY, jnp.ones(x.shape), 0.4, block_size=2, shared_axes=(-1,))
    np.testing.assert_array_equal(shared, jnp.broadcast_to(shared[..., :1], x.shape))


def test_dropblock_masks_are_nested_in_the_rate():
    x = jnp.ones((4, 12, 12, 3))
    kept = [dropblock(KEY, x, rate, block_size=3) > 0 for rate in (0.6, 0.3, 0.1)]
    assert (kept[0] <= kept[1]).all() and (kept[1] <= kept[2]).all()
    assert (kept[0] < kept[1]).any()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"block_size": 9},
            r"block_size is 9; it must be in \[1, 6\], to fit a map of",
        ),
        ({"block_size": 0}, "block_size is 0"),
        ({"axes": ()}, "a map needs at least one axis"),
        ({"axes": (1, 7)}, "axes is"),
        ({"axes": (1, 2), "shared_axes": (1,)}, "none of them can be shared"),
        ({"seed_rate": "timm"}, "seed_rate is 'timm'; it must be 'exact' or 'paper'"),
        ({"rescale": "none"}, "rescale is 'none'; it must be 'position' or 'count'"),
        ({"rate": 1.5}, "rate is 1.5"),
        ({"rate": jnp.full((6, 1), 0.5)}, "must be the same all over a map"),
    ],
    ids=str,
)
def test_dropblock_refuses_what_it_cannot_do(options, match):
    options = {"rate": 0.3, "block_size": 3, **options}
    for deterministic in (False, True):
        with pytest.raises(ValueError, match=match):
            dropblock(
                KEY, jnp.ones((2, 6, 6, 3)), deterministic=deterministic, **options
            )
    with pytest.raises(ValueError, match="moments are known for 'position' alone"):
        dropblock_moments(jnp.ones((1, 6, 6)), 0.5, block_size=2, rescale="count")


@pytest.mark.parametrize(
    ("side", "timm", "miguelvr"), [(7, 0.930, 0.055), (14, 0.209, 0.074)]
)
def test_shares_that_other_dropblocks_drop(side, timm, miguelvr):
    """The numbers of docs/transforms.md: seeds everywhere, blocks cut at the border."""
    block, rate = 7, 0.1
    places = np.arange(side)
    along = (np.abs(places[:, None] - places[None]) <= block // 2).sum(0)
    covering = np.outer(along, along)
    simple = rate / block**2
    paper = simple * side**2 / (side - block + 1) ** 2
    for gamma, expected in ((paper, timm), (simple, miguelvr)):
        assert round(float(np.mean(1 - (1 - gamma) ** covering)), 3) == expected
    page = (Path(__file__).parents[2] / "docs" / "transforms.md").read_text()
    for share in (timm, miguelvr):
        assert f"{share:.3f}".removeprefix("0") in page
