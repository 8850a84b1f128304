# SPDX-License-Identifier: Apache-2.0
"""Under jit, vmap, scan, remat, grad and on several devices: the same draws.

Random bits are the same everywhere, so masks are equal bit for bit. Arithmetic on
normals may differ in the last bit, where XLA fuses or folds it otherwise: CLOSE.
All optimizations, which take longer to compile, are on under jit alone, and for the
EXACT under scan and vmap over keys. The bare draws: test_bits.py.
"""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

import cases
from cases import every
from dropout_jax.transforms import dropout, gaussian_dropout

KEY = jax.random.key(52)
KEYS = jax.random.split(KEY, 3)
X = jnp.linspace(-2.0, 3.0, 24).reshape(4, 2, 3)
CLOSE = {"rtol": 1e-5, "atol": 1e-6}
EXACT = (
    "dropout",
    "spatial_dropout",
    "drop_path",
    "dropblock",
    "weight_drop",
    "zoneout",
)


def function_of(transform, example):
    """Returns f(key, x, *parameters) for x [batch, time, 3], and the parameters."""

    def function(key, x, *parameters):
        x = cases.fit(transform, x)
        values = parameters or example.parameters
        return transform.apply(key, x, *values, **cases.options(example, x))

    return function, example.parameters


def equal(transform, found, expected):
    if transform.name in EXACT:
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found, expected, **CLOSE)


@every
def test_jit(transform, example, compile_as_users_do):
    function, parameters = function_of(transform, example)
    expected = function(KEY, X)
    compile_as_users_do()
    equal(transform, jax.jit(function)(KEY, X), expected)
    equal(transform, jax.jit(function)(KEY, X, *parameters), expected)


@every
def test_vmap_over_keys_is_the_loop(transform, example, compile_as_users_do):
    function, _ = function_of(transform, example)
    loop = jnp.stack([function(key, X) for key in KEYS])
    if transform.name in EXACT:
        compile_as_users_do()
    mapped = jax.jit(jax.vmap(lambda key: function(key, X)))
    equal(transform, mapped(KEYS), loop)
    assert (loop != loop[:1]).any()


@every
def test_vmap_over_parameters_is_the_loop(transform, example):
    function, parameters = function_of(transform, example)
    steps = [value + jnp.linspace(0.0, 0.2, 4) for value in parameters]
    loop = [function(KEY, X, *(s[i] for s in steps)) for i in range(4)]
    mapped = jax.vmap(lambda *values: function(KEY, X, *values))(*steps)
    equal(transform, mapped, jnp.stack(loop))


@every
def test_scan_is_the_loop(transform, example, compile_as_users_do):
    function, _ = function_of(transform, example)
    loop = jnp.stack([function(key, X) for key in KEYS])
    if transform.name in EXACT:
        compile_as_users_do()

    @jax.jit
    def scanned(keys):
        return jax.lax.scan(lambda c, key: (c, function(key, X)), None, keys)[1]

    equal(transform, scanned(KEYS), loop)


@every
def test_remat_draws_the_same_noise_again(transform, example):
    """A backward pass on another mask than the forward pass would be silent."""
    function, _ = function_of(transform, example)

    def gradient(key, wrapped):
        return jax.grad(lambda x: jnp.sum(wrapped(key, x) ** 2))(X)

    @jax.jit
    def both(key):
        return gradient(key, function), gradient(key, jax.checkpoint(function))

    plain, remat = both(KEY)
    equal(transform, remat, plain)
    assert not all(np.allclose(both(key)[1], plain) for key in KEYS)


@every
def test_one_key_under_vmap_over_the_batch(transform, example):
    """Both ways: every row the same noise, or its own with the index folded in."""
    function, _ = function_of(transform, example)
    ones = jnp.ones((6, 8, 5, 3))  # six batches
    same = jax.vmap(lambda row: function(KEY, row))(ones)
    np.testing.assert_array_equal(same, jnp.broadcast_to(same[:1], same.shape))

    def own(index, row):
        return function(jax.random.fold_in(KEY, index), row)

    different = jax.vmap(own)(jnp.arange(6), ones)
    assert all((different[0] != row).any() for row in different[1:])


def test_second_derivatives_and_forward_mode():
    mask = dropout(KEY, jnp.ones_like(X), 0.5)

    def loss(x):
        return jnp.sum(dropout(KEY, x, 0.5) ** 2)

    _, tangent = jax.jvp(jax.grad(loss), (X,), (jnp.ones_like(X),))
    np.testing.assert_array_equal(tangent, 2 * mask**2)


@pytest.mark.parametrize("transform", [dropout, gaussian_dropout])
def test_rates_may_vary_over_a_mesh_where_the_key_does_not(transform):
    """To JAX they do, also on a mesh of one device: the types tell."""
    mesh = jax.make_mesh((1,), ("d",), axis_types=(AxisType.Auto,))
    specs = {"in_specs": (P(), P("d"), P("d")), "out_specs": P("d")}
    rates = jnp.asarray([0.0, 0.2, 0.5, 0.8])[:, None]
    x = jnp.ones((4, 100))
    y = jax.jit(jax.shard_map(transform, mesh=mesh, **specs))(KEY, x, rates)
    np.testing.assert_allclose(y, transform(KEY, x, rates), rtol=1e-6)


DEVICES = """
import sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
assert jax.device_count() == 4
sys.path.insert(0, "tests/transforms")
import cases
from dropout_jax.transforms import bits

key, x = jax.random.key(51), jax.random.normal(jax.random.key(1), (8, 2, 3))
for entry, example in (setting.values for setting in cases.distinct()):
    name = entry.name

    def apply(key, x):
        y = cases.apply(entry, example, key, cases.fit(entry, x))
        return y.reshape(x.shape)

    alone = np.asarray(jax.jit(apply)(key, x))
    for kind, spec in ((AxisType.Auto, P("a", "b")), (AxisType.Explicit, P("a"))):
        mesh = jax.make_mesh((2, 2), ("a", "b"), axis_types=(kind, kind))
        with jax.set_mesh(mesh):
            sharding = NamedSharding(mesh, spec)
            y = jax.jit(apply)(key, jax.device_put(x, sharding))
            assert y.sharding.is_equivalent_to(sharding, 3), (name, spec)
            np.testing.assert_allclose(y, alone, rtol=1e-5, atol=1e-6)
            if name in EXACT:
                np.testing.assert_array_equal(y, alone)

    # In shard_map one key gives every shard the same noise; folding the index in
    # gives each its own.
    mesh = jax.make_mesh((4,), ("d",), axis_types=(AxisType.Auto,))

    def folded(key, x):
        return apply(jax.random.fold_in(key, jax.lax.axis_index("d")), x)

    @jax.jit
    def mapped(key, x):
        specs = {"in_specs": (P(), P("d")), "out_specs": P("d")}
        return [jax.shard_map(f, mesh=mesh, **specs)(key, x) for f in functions]

    # What folding does is the key's doing: one transform shows it.
    functions = (apply, folded) if name == "dropout" else (apply,)
    for y, same in zip(mapped(key, jnp.ones((32, 2, 3))), (True, False)):
        shards = np.asarray(y).reshape(4, 8, 2, 3)
        for shard in shards[1:]:
            assert (shard == shards[0]).all() == same, (name, same)

for draw in (bits.uniform, bits.normal):
    alone = draw(key, x.shape)
    mesh = jax.make_mesh((2, 2), ("a", "b"), axis_types=(AxisType.Auto,) * 2)
    for spec in (P("a", "b"), P(("a", "b"))):
        split = NamedSharding(mesh, spec)
        y = jax.jit(lambda key: draw(key, x.shape), out_shardings=split)(key)
        assert {shard.data.size for shard in y.addressable_shards} == {12}
        np.testing.assert_array_equal(y, alone)
print("all equal")
"""


@pytest.mark.long
def test_on_four_devices(quick_environment):
    devices = " --xla_force_host_platform_device_count=4"
    environment = {
        **quick_environment,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": quick_environment["XLA_FLAGS"] + devices,
    }
    run = subprocess.run(
        [sys.executable, "-c", f"EXACT = {EXACT}" + DEVICES],
        capture_output=True,
        text=True,
        timeout=240,
        env=environment,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.strip() == "all equal"
