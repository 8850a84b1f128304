# SPDX-License-Identifier: Apache-2.0
"""A model of one's own that never uses its noise, or has other logits than classes."""

import flax.linen as linen
import jax.numpy as jnp
import pytest

from dropout_jax import training
from dropout_jax.config.errors import UserError
from dropout_jax.nn import NoiseConfig, register_model
from dropout_jax.training.prepare import prepare

WAYS = ("right", "few", "one", "never", "always off", "thrown away", "rate of its own")


class Own(linen.Module):
    """A layer of noise and one of weights, used in the ways that users have."""

    noise: NoiseConfig
    classes: int
    way: str = "right"

    @property
    def sites(self):
        return ("input", "units")

    @linen.compact
    def __call__(self, images, rates, *, train):
        x = linen.Dense(4, name="units")(images.reshape(len(images), -1))
        layer = self.noise.layer("units")
        if self.way in ("right", "few"):
            x = layer(x, rates[1], deterministic=not train)
        elif self.way == "always off":
            x = layer(x, rates[1], deterministic=True)
        elif self.way == "thrown away":
            layer(x, rates[1], deterministic=not train)
        elif self.way == "rate of its own":
            x = layer(x, 0.5, deterministic=not train)
        y = linen.Dense(self.classes, name="logits")(x)
        return y[:, :7] if self.way == "few" else y[0] if self.way == "one" else y


@pytest.fixture
def own(tiny):
    """Returns a function from the way and fields to a configuration."""
    register_model("own")(lambda model, noise, classes: Own(noise, classes, way.pop()))
    way = []

    def configured(given, **fields):
        way[:] = [given]
        # Another width each time: programs are kept by configuration.
        width = 1 + WAYS.index(given)
        return tiny({"model.name": "own", "model.widths": (width,), **fields})

    return configured


@pytest.mark.parametrize("way", ["never", "always off", "thrown away"])
@pytest.mark.parametrize("kind", ["gaussian_dropout", "variational_dropout"])
def test_a_model_without_its_noise_is_told(own, way, kind):
    (remark,) = prepare(own(way, **{"noise.kind": kind, "noise.rates": ()})).remarks
    assert remark == (
        f"model.name='own' never uses its noise: with config.noise.kind={kind!r} it "
        "trains as with 'none'"
    )


def test_a_model_that_uses_it_is_left_alone(own, tiny):
    assert prepare(own("right")).remarks == ()
    assert prepare(tiny()).remarks == ()
    without = {"noise.kind": "none", "noise.rates": ()}
    assert prepare(own("never", **without)).remarks == ()


def test_a_model_that_never_reads_its_rates_is_told(own):
    (remark,) = prepare(own("rate of its own")).remarks
    assert "never reads its rates: config.noise.rates changes nothing" in remark
    learned = {"noise.kind": "variational_dropout", "noise.rates": ()}
    assert prepare(own("rate of its own", **learned)).remarks == ()


@pytest.mark.parametrize(("way", "shape"), [("few", "(2, 7)"), ("one", "(10,)")])
def test_logits_of_another_number_than_the_classes(own, way, shape):
    with pytest.raises(UserError) as caught:
        prepare(own(way))
    message = str(caught.value)
    assert message.startswith(f"model Own returns float32 {shape} for 2 images")
    assert "return floating (2, 10), a logit for each class" in message


PLUGIN = """
import flax.linen as linen
from dropout_jax.nn import register_model

class Forgetful(linen.Module):
    classes: int
    sites = ("input", "units")

    @linen.compact
    def __call__(self, images, rates, *, train):
        x = images.reshape(len(images), -1)
        return linen.Dense(self.classes, name="logits")(x)

register_model("forgetful")(lambda model, noise, classes: Forgetful(classes))
"""


def test_the_remark_is_shown_and_stays_in_the_result(tiny, tmp_path, recorder):
    (tmp_path / "forgetful.py").write_text(PLUGIN)
    fields = {"plugin": str(tmp_path / "forgetful.py"), "model.name": "forgetful"}
    config, progress = tiny({**fields, "train.epochs": 1}), recorder()
    result = training.run(config, tmp_path / "run", progress=progress)
    (remark,) = result.values["remarks"]
    assert "never uses its noise" in remark and progress.notes[0] == remark
    assert jnp.isfinite(result.values["test"]["nll"])
    again = recorder()
    training.run(config, tmp_path / "run", progress=again)
    assert again.notes[0] == remark


def test_a_result_without_remarks_says_nothing_of_them(finished):
    assert "remarks" not in finished.values
