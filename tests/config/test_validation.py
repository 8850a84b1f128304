# SPDX-License-Identifier: Apache-2.0
"""How fields go together: what is refused, and what must not be."""

import pytest

from dropout_jax.config import UserError, defaults, validate
from dropout_jax.config.loading import override
from dropout_jax.config.noise_fields import FIXED_RATE_KINDS, MODELS_OF_KIND
from dropout_jax.config.noise_rules import noise_sites
from dropout_jax.config.schema import BY_PATH, FIELDS
from dropout_jax.config.validation import check_fields

CNN = {"model.name": "cnn"}
RNN = {"model.name": "rnn"}
DROPOUT = {"noise.kind": "dropout", "noise.rates": (0.5,)}
GAUSSIAN = {"noise.kind": "gaussian_dropout", "noise.rates": (0.5,)}
VARIATIONAL = {"noise.kind": "variational_dropout"}
LOGIT_NORMAL = {"noise.kind": "logit_normal_dropout"}
STEP = {"optimizer.schedule": "step"}
PIECEWISE = DROPOUT | {
    "noise.schedule": "piecewise",
    "noise.piecewise_epochs": (5.0, 10.0),
    "noise.piecewise_factors": (1.0, 0.5, 0.0),
}


def kind(name):
    """A kind of noise at rate one half."""
    return {"noise.kind": name, "noise.rates": (0.5,)}


REFUSED = [
    # The first field named in each message, then the change that earns it.
    ("noise.rates", DROPOUT | {"noise.rates": (0.1, 0.2, 0.3)}),
    ("noise.rates", DROPOUT | {"noise.rates": ()}),
    ("noise.rates", DROPOUT | {"model.widths": ()}),
    ("noise.rates", DROPOUT | CNN | {"noise.rates": (0.1, 0.2, 0.3)}),
    ("noise.rates", DROPOUT | RNN | {"noise.rates": (0.1, 0.2, 0.3)}),
    ("noise.rates", GAUSSIAN | {"noise.rates": (0.5, 1.0)}),
    ("noise.rates", VARIATIONAL | {"noise.rates": (0.5,)}),
    ("noise.input_rate", GAUSSIAN | {"noise.input_rate": 1.0}),
    ("noise.input_rate", LOGIT_NORMAL | {"noise.input_rate": 0.2}),
    ("noise.sharing", DROPOUT | {"noise.sharing": "spatial"}),
    ("noise.sharing", DROPOUT | CNN | {"noise.sharing": "tied"}),
    ("noise.sharing", DROPOUT | RNN | {"noise.sharing": "spatial"}),
    ("noise.sharing", RNN | {"noise.sharing": "tied"}),
    ("noise.kl_weight", DROPOUT | {"noise.kl_weight": 0.5}),
    ("noise.learned_input", {"noise.learned_input": False}),
    ("noise.kl", LOGIT_NORMAL | {"noise.kl": "kingma"}),
    ("noise.log_alpha_init", LOGIT_NORMAL | {"noise.log_alpha_init": -5.0}),
    (
        "noise.log_alpha_init",
        VARIATIONAL | {"noise.max_alpha": 1.0, "noise.log_alpha_init": 0.1},
    ),
    ("noise.rates", kind("lognormal_dropout") | {"noise.rates": (1.0,)}),
    ("noise.kind", kind("dropblock") | RNN),
    ("noise.kind", kind("zoneout")),
    ("noise.kind", kind("drop_path")),
    ("noise.input_rate", kind("zoneout") | RNN | {"noise.input_rate": 0.1}),
    (
        "model.recurrent_noise",
        kind("zoneout") | RNN | {"model.recurrent_noise": "state"},
    ),
    ("noise.sharing", kind("weight_drop") | RNN | {"noise.sharing": "tied"}),
    (
        "noise.learned_input",
        {"noise.kind": "variational_dense", "noise.learned_input": False},
    ),
    ("noise.sampling", DROPOUT | {"noise.sampling": "local"}),
    ("noise.kind", {"noise.kind": "variational_conv"}),
    (
        "noise.sampling",
        RNN | {"noise.kind": "variational_dense", "noise.sampling": "local"},
    ),
    (
        "model.recurrent_noise",
        RNN | {"noise.kind": "variational_dense", "model.recurrent_noise": "state"},
    ),
    # One of a cnn's dense layers each, of which there are three by default.
    (
        "noise.rates",
        kind("dropconnect_dense") | CNN | {"noise.rates": (0.5,) * 4},
    ),
    (
        "noise.input_rate",
        kind("dropconnect_dense") | CNN | {"noise.input_rate": 0.1},
    ),
    (
        "noise.rates",
        kind("dropconnect_dense") | {"noise.rates": (1.0,), "noise.sampling": "local"},
    ),
    ("noise.rates", DROPOUT | {"noise.rates": (1.5,)}),
    ("noise.input_rate", DROPOUT | {"noise.input_rate": 2.0}),
    (
        "noise.unbiased",
        kind("concrete_dropout")
        | {"noise.rates": (), "noise.hard": True, "noise.unbiased": False},
    ),
    ("noise.sharing", kind("zoneout") | RNN | {"noise.sharing": "tied"}),
    ("noise.schedule", kind("zoneout") | RNN | {"noise.schedule": "late"}),
    ("noise.sharing", kind("dropblock") | CNN | {"noise.sharing": "spatial"}),
    ("noise.kind", kind("spatial_dropout") | RNN),
    ("noise.kind", kind("gaussian_noise") | RNN | {"noise.sharing": "tied"}),
    (
        "noise.kind",
        kind("alpha_dropout") | RNN | {"model.recurrent_noise": "candidate"},
    ),
    ("model.recurrent_noise", RNN | {"model.recurrent_noise": "state"}),
    ("model.residual", {"model.residual": True, "model.widths": (256, 128)}),
    (
        "noise.schedule_epochs",
        DROPOUT | {"noise.schedule": "late", "noise.schedule_epochs": 20.0},
    ),
    ("noise.schedule_epochs", DROPOUT | {"noise.schedule_epochs": 3.0}),
    ("noise.piecewise_epochs", DROPOUT | {"noise.piecewise_epochs": (5.0,)}),
    ("noise.piecewise_epochs", DROPOUT | {"noise.schedule": "piecewise"}),
    ("noise.piecewise_epochs", PIECEWISE | {"noise.piecewise_epochs": (5.0, 20.0)}),
    ("noise.piecewise_epochs", PIECEWISE | {"noise.piecewise_epochs": (5.0, 5.0)}),
    ("noise.piecewise_factors", PIECEWISE | {"noise.piecewise_factors": (1.0, 0.5)}),
    ("model.recurrent_noise", CNN | {"model.recurrent_noise": "state"}),
    ("model.channels", {"model.channels": (16,)}),
    ("model.channels", CNN | {"model.channels": ()}),
    ("model.batch_norm", RNN | {"model.batch_norm": True}),
    ("model.cell", CNN | {"model.cell": "gru"}),
    ("model.widths", RNN | {"model.widths": ()}),
    ("model.kernel_size", CNN | {"model.kernel_size": 2}),
    ("optimizer.momentum", {"optimizer.momentum": 0.5}),
    ("optimizer.momentum", {"optimizer.name": "sgd", "optimizer.momentum": 0.5}),
    ("optimizer.step_epochs", {"optimizer.step_epochs": (5.0,)}),
    ("optimizer.step_factor", {"optimizer.step_factor": 0.5}),
    ("optimizer.step_epochs", STEP),
    ("optimizer.step_epochs", STEP | {"optimizer.step_epochs": (5.0, 20.0)}),
    ("optimizer.step_epochs", STEP | {"optimizer.step_epochs": (10.0, 5.0)}),
    ("optimizer.step_epochs", STEP | {"optimizer.step_epochs": (5.0, 5.0)}),
    (
        "optimizer.step_epochs",
        STEP | {"optimizer.step_epochs": (5.0,), "optimizer.warmup_epochs": 5.0},
    ),
    ("optimizer.warmup_epochs", {"optimizer.warmup_epochs": 20.0}),
    ("train.batch_size", {"data.train_size": 127}),
    ("train.batch_size", {"train.devices": 3}),
    ("data.source_dir", {"data.name": "synthetic", "data.source_dir": "."}),
    ("model.name", {"model.name": "mine"}),
    ("noise.kind", {"noise.kind": "mine"}),
]

ACCEPTED = [
    DROPOUT | {"noise.rates": (0.1, 0.2)},
    DROPOUT | {"noise.rates": (0.0,), "noise.input_rate": 1.0},
    DROPOUT | {"noise.rates": (1.0,)},
    PIECEWISE,
    kind("gaussian_noise") | {"noise.rates": (2.0,), "noise.input_rate": 1.5},
    DROPOUT | {"model.widths": (), "noise.rates": (), "noise.input_rate": 0.1},
    DROPOUT | CNN | {"noise.rates": (0.1, 0.2, 0.3, 0.4), "noise.sharing": "spatial"},
    DROPOUT | RNN | {"noise.sharing": "tied", "model.cell": "gru"},
    CNN | {"model.channels": (8,), "model.kernel_size": 5, "model.batch_norm": True},
    # A warm-up of the KL longer than a short run is no mistake; it says so in docs.
    VARIATIONAL | {"train.epochs": 2},
    VARIATIONAL | {"noise.max_alpha": 1.0, "noise.log_alpha_init": 0.0},
    LOGIT_NORMAL | {"noise.kl_weight": 0.0, "noise.learned_input": False},
    {"optimizer.name": "nesterov", "optimizer.momentum": 0.5},
    STEP | {"optimizer.step_epochs": (0.5, 19.5), "optimizer.step_factor": 0.5},
    {"optimizer.schedule": "constant", "optimizer.warmup_epochs": 19.5},
    {"data.train_size": 128},
    {"data.name": "."},
    {"plugin": "textwrap", "model.name": "mine", "model.channels": (1,)},
    {"plugin": "json.tool", "noise.kind": "mine", "noise.rates": (1.0,) * 7},
]


@pytest.mark.parametrize(("path", "changes"), REFUSED)
def test_what_cannot_be_meant_is_refused(path, changes):
    config = override(defaults(), changes)
    with pytest.raises(UserError) as caught:
        validate(config)
    assert str(caught.value).startswith(f"config.{path}=")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", ACCEPTED)
def test_what_can_be_meant_is_accepted(changes):
    validate(override(defaults(), changes))


def test_every_field_that_depends_on_another_is_refused_alone():
    for field in FIELDS:
        if field.only_with is None:
            continue
        other, needed = field.only_with
        if BY_PATH[other].default in needed:  # it acts as things stand
            continue
        changed = {
            bool: not field.default,
            str: (field.choices or ("",))[-1],
            int: 5 if field.within.endswith("7]") else 2,
            float: 0.25,
        }[field.of]
        config = override(
            defaults(), {field.path: (changed,) if field.is_tuple else changed}
        )
        with pytest.raises(UserError, match="has no effect with"):
            validate(config)


KINDS = [
    (field, kind)
    for field in FIELDS
    if field.only_with and field.only_with[0] == "noise.kind"
    for kind in field.only_with[1]
]


@pytest.mark.parametrize(("field", "kind"), KINDS, ids=lambda v: getattr(v, "path", v))
def test_the_kinds_that_a_field_names_accept_it(field, kind):
    """What the message of a field without effect advises is not refused in turn."""
    models = MODELS_OF_KIND.get(kind, ("mlp",))
    changes = {"noise.kind": kind, "model.name": models[0]}
    if kind in FIXED_RATE_KINDS:
        changes["noise.rates"] = (0.5,)
    if kind == "drop_path":
        changes["model.residual"] = True
    value = {bool: not field.default, str: field.choices[-1:], int: 2, float: 0.25}
    changed = value[field.of][0] if field.of is str else value[field.of]
    changes[field.path] = (changed,) if field.is_tuple else changed
    if field.path == "noise.sharing":
        changes |= {"model.name": "cnn", "noise.sharing": "spatial"}
        changes["noise.rates"] = changes.get("noise.rates", ())
    validate(override(defaults(), changes))


def test_advice_of_the_no_effect_message_works():
    config = override(defaults(), {"noise.rates": (0.5,)})
    with pytest.raises(UserError, match=r"leave it at \(\), or .*noise.kind=dropout"):
        validate(config)
    validate(override(config, {"noise.rates": ()}))
    validate(override(config, {"noise.kind": "dropout"}))


def test_lost_types_are_found():
    # ConfigDict gives up its type check once a field has been None.
    config = defaults()
    config.seed = None
    with pytest.raises(UserError, match=r"config\.seed=None: must be a whole number"):
        validate(config)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"noise": 3}, "config.noise=3: is a group"),
        ({"seed": {"x": 1}}, "config.seed={'x': 1}: must be a whole number"),
        ({"extra": 1}, "config.extra does not exist"),
        ({"ex\ntra": 1}, "config.ex tra does not exist"),
        ({"extra": {"x": 1}}, "config.extra does not exist"),
        (
            {"noise": defaults().noise.to_dict() | {"kind": {"a": 1}}},
            "config.noise.kind={'a': 1}: must be one of",
        ),
    ],
)
def test_wrong_nesting(changes, says):
    with pytest.raises(UserError) as caught:
        check_fields(defaults().to_dict() | changes)
    assert str(caught.value).startswith(says)


def test_a_missing_field_is_named():
    config = defaults().to_dict()
    del config["noise"]["kl"]
    with pytest.raises(UserError, match=r"config\.noise\.kl is missing"):
        check_fields(config)


@pytest.mark.parametrize(
    ("changes", "sites"),
    [
        ({"model.widths": (1, 2, 3)}, 3),
        (CNN | {"model.channels": (1, 2), "model.widths": (3,)}, 3),
        (kind("dropconnect_dense") | CNN | {"model.widths": (3,)}, 2),
        (RNN | {"model.widths": (3,)}, 1),
        ({"model.name": "mine"}, None),
    ],
)
def test_noise_sites(changes, sites):
    assert noise_sites(check_fields(override(defaults(), changes))) == sites


@pytest.mark.parametrize("path", ["data.name", "data.source_dir", "plugin"])
def test_where_a_relative_path_begins_is_told(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for value, told in (("absent.py", True), ("/absent.py", False)):
        with pytest.raises(UserError) as caught:
            validate(override(defaults(), {path: value}))
        assert (f"(seen from {tmp_path})" in str(caught.value)) == told
