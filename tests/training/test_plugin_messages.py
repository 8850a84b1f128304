# SPDX-License-Identifier: Apache-2.0
"""What a plugin's author did wrong is told in one line, before anything is trained."""

import itertools
import shutil

import jax
import numpy as np
import pytest

from dropout_jax import data, load_run, training
from dropout_jax.config.errors import UserError
from dropout_jax.training import plugin
from dropout_jax.training.prepare import prepare
from dropout_jax.training.run_directory import RunDirectory

GOOD = """
import flax.linen as linen
import jax.numpy as jnp
from dropout_jax.nn import register_model

class Own(linen.Module):
    classes: int
    noise: object

    {sites}

    @linen.compact
    def __call__({arguments}):
        {first}
        x = self.noise.layer("hidden")(
            linen.Dense(8, name="one")(images.reshape(len(images), -1)),
            rates[1],
            deterministic=not train,
        )
        {last}

@register_model("{name}")
def build(model, noise, classes):
    {build}
"""
PARTS = {
    "sites": "sites = ('input', 'hidden')",
    "arguments": "self, images, rates, *, train",
    "first": "pass",
    "last": "return linen.Dense(self.classes, name='two')(x)",
    "build": "return Own(classes, noise)",
}
NUMBER = itertools.count()


@pytest.fixture
def own(tmp_path, tiny):
    """Returns a function that writes a plugin with some parts changed: its config."""

    def write(**changed):
        name = f"own_{next(NUMBER)}"
        path = tmp_path / f"{name}.py"
        path.write_text(GOOD.format(**{"name": name, **PARTS, **changed}))
        return tiny({"plugin": str(path), "model.name": name})

    return write


def test_a_good_one_trains(own, tmp_path, recorder):
    config = own()
    assert training.run(config, tmp_path / "run", progress=recorder()).fresh


MISTAKES = {
    "no sites": ({"sites": ""}, "model Own has no sites: give it the property sites"),
    "a method": (
        {"sites": "def sites(self):\n        return ('input', 'hidden')"},
        "has sites as a method, without @property",
    ),
    "text": ({"sites": "sites = 'input'"}, "has sites='input': give it the property"),
    "twice": ({"sites": "sites = ('input', 'input')"}, "has sites=('input', 'input')"),
    "numbers": ({"sites": "sites = (0, 1)"}, "has sites=(0, 1)"),
    "no train": (
        {"arguments": "self, images, rates", "first": "train = False"},
        "cannot be called as model(images, rates, train=True)",
    ),
    "no rates": (
        {"arguments": "self, images, *, train", "first": "rates = (0.1, 0.1)"},
        "define __call__(self, images, rates, *, train)",
    ),
    "too few classes": (
        {"last": "return linen.Dense(7, name='two')(x)"},
        "returns float32 (2, 7) for 2 images with train=False: return floating (2, 10)",
    ),
    "no batch": ({"last": "return x.mean(0)[:1]"}, "returns float32 (1,) for 2 images"),
    "integers": (
        {"last": "return linen.Dense(10, name='two')(x).astype(int)"},
        "returns int32 (2, 10) for 2 images",
    ),
    "other logits in training": (
        {"last": "return linen.Dense(10, name='two')(x)[:, : 9 if train else 10]"},
        "returns float32 (2, 9) for 2 images with train=True",
    ),
    "two outputs": (
        {"last": "return linen.Dense(10, name='two')(x), x"},
        "returns a tuple: return logits alone, [batch, 10]",
    ),
    "no module": ({"build": "return classes"}, "model int is no flax.linen module"),
    "nothing": ({"build": "Own(classes, noise)"}, "model NoneType is no flax.linen"),
    "raises": ({"first": "raise KeyError('width')"}, ".py, line 14: KeyError: 'width'"),
    "raises in training": (
        {"first": "assert not train, 'never trained'"},
        ".py, line 14: AssertionError: never trained",
    ),
    "builder raises": ({"build": "return model.size"}, ".py, line 24: AttributeError"),
    "at import": (
        {"sites": "sites = undefined"},
        ".py, line 10: NameError: name",
    ),
    "a taken name": (
        {"name": "mlp"},
        "line 22: ValueError: model name 'mlp' is taken, by dropout_jax.nn.models; cho",
    ),
}


@pytest.mark.parametrize("changed, says", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_names_the_plugin_and_the_cure(own, changed, says):
    config = own(**changed)
    with pytest.raises(UserError) as caught:
        prepare(config)
    said = str(caught.value)
    assert said.startswith(f"plugin {config.plugin!r}: ") and says in said, said
    assert "\n" not in said


def test_a_name_is_given_to_register_model(own, tmp_path):
    config = own()
    path = tmp_path / "bare.py"
    text = (tmp_path / f"{config.model.name}.py").read_text()
    path.write_text(
        text.replace(f'@register_model("{config.model.name}")', "@register_model")
    )
    config.plugin = str(path)
    with pytest.raises(UserError, match=r"write @register_model\('NAME'\) above the"):
        prepare(config)


def test_one_file_is_one_plugin_however_it_is_named(own, tmp_path, monkeypatch):
    config = own()
    prepare(config)
    (tmp_path / "link.py").symlink_to(config.plugin)
    monkeypatch.chdir(tmp_path)
    for name in (f"{config.model.name}.py", f"./{config.model.name}.py", "link.py"):
        config.plugin = name
        prepare(config)


def test_a_relative_plugin_is_found_from_another_directory(
    own, tmp_path, recorder, monkeypatch
):
    config = own()
    config.plugin = f"{config.model.name}.py"
    monkeypatch.chdir(tmp_path)
    training.run(config, "run", progress=recorder())
    images = data.load("synthetic").test_images
    before = load_run("run").predict(images)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    run = load_run("../run")
    np.testing.assert_array_equal(run.predict(images), before)
    assert run.config == config
    plugin._LOADED.clear()  # as in another process
    with pytest.raises(UserError, match=rf"names the plugin .*{tmp_path}"):
        load_run("../run")
    shutil.move(tmp_path / config.plugin, tmp_path / "moved.py")
    with pytest.raises(UserError) as caught:
        load_run("../run", trust_plugin=True)
    said = str(caught.value)
    assert f"(seen from {tmp_path / 'other'}) nor at {tmp_path / config.plugin}" in said


def test_a_plugin_that_sets_an_option_of_jax_resumes(own, tmp_path, recorder):
    """What it sets is in its source: before and after its import, inputs are equal."""
    set_it = "import jax; jax.config.update('jax_default_matmul_precision', 'highest')"
    config = own(sites=f"{set_it}\n    {PARTS['sites']}")
    try:
        run = training.run(config, tmp_path / "run", progress=recorder())
        assert jax.config.jax_default_matmul_precision == "highest"
        (part,) = RunDirectory(run.workdir).parts()
        assert part["plugin_settings"] == {"jax_default_matmul_precision": "highest"}
        assert part["inputs"]["jax_default_matmul_precision"] is None
        assert not training.run(config, run.workdir, progress=recorder()).fresh
        jax.config.update("jax_default_matmul_precision", None)  # as before the import
        assert not training.run(config, run.workdir, progress=recorder()).fresh
        jax.config.update("jax_default_matmul_precision", "float32")
        with pytest.raises(UserError, match="has jax_default_matmul_precision=float32"):
            training.run(config, run.workdir, progress=recorder())
    finally:
        jax.config.update("jax_default_matmul_precision", None)


NOISE = """
from dropout_jax import transforms

def apply({arguments}):
    return {value}

transforms.register(transforms.Transform({name!r}, apply, moments=None))
"""
BAD_NOISE = {
    "another shape": (
        {"value": "x.mean(0)"},
        "returns float32 (4, 3) for x of float32",
    ),
    "a number": ({"value": "x.sum()"}, "returns float32 () for x of float32 (2, 4, 3)"),
    "another type": ({"value": "x > rate"}, "returns bool (2, 4, 3) for x of float32"),
    "nothing": ({"value": "None"}, "returns a NoneType for x of"),
    "noise alone": (
        {"value": "x if deterministic else x[:1]"},
        "returns float32 (1, 4, 3) for x of float32 (2, 4, 3) with deterministic=False",
    ),
    "no flag": (
        {"arguments": "key, x, rate", "value": "x"},
        "cannot be called as apply(key, x, rate, deterministic=True)",
    ),
    "raises": ({"value": "x / undefined"}, ".py, line 5: NameError"),
}


@pytest.mark.parametrize("changed, says", BAD_NOISE.values(), ids=BAD_NOISE.keys())
def test_a_transform_that_no_layer_can_apply_is_told(tmp_path, tiny, changed, says):
    name = f"own_noise_{next(NUMBER)}"
    arguments = "key, x, rate, *, shared_axes=(), deterministic=False"
    path = tmp_path / f"{name}.py"
    path.write_text(NOISE.format(**{"name": name, "arguments": arguments, **changed}))
    with pytest.raises(UserError) as caught:
        prepare(tiny({"plugin": str(path), "noise.kind": name}))
    said = str(caught.value)
    assert said.startswith(f"plugin '{path}': ") and says in said, said
    assert "\n" not in said
