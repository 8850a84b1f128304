# SPDX-License-Identifier: Apache-2.0
"""A protocol as data: its grids, its stages' runs, and what is refused in one line."""

import dataclasses

import pytest

from dropout_jax.config import UserError
from dropout_jax.config.loading import override
from dropout_jax.sweeps.choices import Choice, Choices, Score, widest
from dropout_jax.sweeps.protocol import (
    ANSWERS,
    STAGES,
    Extension,
    Gate,
    Method,
    Role,
    Setting,
    load_protocol,
)
from dropout_jax.sweeps.stages import LONGER, Run, finals, planned, runs
from protocols import BASE, METHODS, SMALL, make

NONE, OTHER = Setting("none", None, 0.001), Setting("none", None, 0.01)
FASTER = Setting("dropout", 0.1, 0.01)
WEAK, STRONG = Setting("dropout", 0.1, 0.003), Setting("dropout", 0.6, 0.003)


def test_the_grid_is_every_strength_at_every_learning_rate():
    protocol = make()
    assert [s.learning_rate for s in protocol.settings("small", "none")] == [
        *SMALL.baseline_learning_rates
    ]
    found = protocol.settings("small", "dropout")
    assert found == [
        Setting("dropout", strength, rate)
        for strength in (0.1, 0.3, 0.6)
        for rate in (0.0003, 0.001, 0.003, 0.01)
    ]


def test_an_extension_is_of_one_method_in_one_cell():
    extended = {
        "none": Extension((), (0.00003, 0.0001)),
        "dropout": Extension((0.7, 0.05)),
        "variational": Extension((), (0.03, 0.0001)),
    }
    wide = dataclasses.replace(SMALL, extended=extended)
    protocol = make({"small": SMALL, "wide": wide})
    assert protocol.strengths("wide", "dropout") == (0.05, 0.1, 0.3, 0.6, 0.7)
    rates = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03)
    assert protocol.learning_rates("wide", "variational") == rates
    assert len(protocol.settings("wide", "dropout")) == 5 * 4
    assert protocol.learning_rates("wide", "none")[:3] == (0.00003, 0.0001, 0.0003)
    assert protocol.learning_rates("wide", "dropout") == SMALL.learning_rates
    assert protocol.strengths("wide", "variational") == (0.01, 0.1)
    for method in METHODS:
        alone = make().settings("small", method)
        assert protocol.settings("small", method) == alone
    searched = {run.setting for run in runs(protocol, "wide", "search")}
    each = {s for m in METHODS for s in protocol.settings("wide", m)}
    assert searched == each


def test_a_setting_sets_the_fields_of_cell_method_and_strength():
    found = make().fields("small", Setting("variational", 0.1, 0.003))
    assert found == {
        "model.widths": (4,),
        "train.epochs": 2,
        "noise.kind": "variational_dropout",
        "noise.kl_warmup_epochs": 1.0,
        "noise.kl_weight": 0.1,
        "optimizer.learning_rate": 0.003,
    }


def chosen(accuracy, nll):
    """Choices of both searches, the same for all that the answers name."""
    by_role = {
        Role(search, setting.method, answer): Choice(setting, Score(0.0, 0.0), ())
        for search in (0, 1)
        for answer, settings in zip(ANSWERS, (accuracy, nll), strict=True)
        for setting in settings
    }
    pooled = {(role.method, role.answer): c.setting for role, c in by_role.items()}
    curve = {"accuracy": (NONE, WEAK, STRONG), "nll": (NONE, FASTER, STRONG)}
    return Choices(by_role, pooled, curve)


def test_the_search_has_the_whole_grid_at_each_of_its_seeds():
    protocol = make()
    found = runs(protocol, "small", "search")
    grid = 4 + 3 * 4 + 2 * 4
    assert len(found) == len(set(found)) == 4 * grid
    assert [run.seed for run in found[::grid]] == [10, 11, 12, 13]
    assert {run.variant for run in found} == {""}


def test_a_setting_chosen_for_both_answers_is_one_run_that_serves_both():
    protocol, choices = make(), chosen((NONE, WEAK), (NONE, STRONG))
    found = runs(protocol, "small", "final", choices)
    assert len(found) == len(set(found)) == 4 * 3
    assert [run.seed for run in found[::3]] == [0, 2, 1, 3]  # the searches in turn
    roles = finals(protocol, "small", choices)
    assert roles[Role(0, "none", "nll")] == roles[Role(0, "none", "accuracy")]
    assert roles[Role(1, "none", "nll")] == [Run(NONE, 2), Run(NONE, 3)]
    assert roles[Role(0, "dropout", "nll")] == [Run(STRONG, 0), Run(STRONG, 1)]
    assert {run for served in roles.values() for run in served} == set(found)


def test_a_search_does_not_run_what_the_other_one_chose():
    choices = chosen((NONE,), (NONE,))
    mine = dataclasses.replace(choices.by_role[Role(1, "none", "nll")], setting=OTHER)
    choices = dataclasses.replace(
        choices, by_role={**choices.by_role, Role(1, "none", "nll"): mine}
    )
    found = runs(make(), "small", "final", choices)
    assert {run.seed for run in found if run.setting == OTHER} == {2, 3}


def test_the_gate_trains_longer_and_from_other_starts():
    learned = Setting("variational", 0.1, 0.003)
    choices = chosen((NONE, learned), (OTHER, learned))
    found = planned("s", BASE, make(), "small", runs(make(), "small", "gate", choices))
    each = {run[0:3:2]: t.config for run, t in found.items() if run.seed == 20}
    assert each.keys() == {
        (NONE, ""),
        (NONE, LONGER),
        (OTHER, ""),
        (OTHER, LONGER),
        (learned, ""),
        (learned, LONGER),
        (learned, "low"),
        (learned, "high"),
    }
    assert len(found) == 2 * len(each)
    epochs = {variant: c.train.epochs for (_, variant), c in each.items()}
    assert epochs == {"": 2, LONGER: 4, "low": 2, "high": 2}
    starts = [each[learned, v].noise.log_alpha_init for v in ("", "low", "high")]
    assert starts == [-3.0, -5.0, -1.0]


def of_the_gate(base, setting, **changed):
    """By variant, the configuration of the gate's runs of a setting."""
    protocol = make(**changed)
    wanted = runs(protocol, "small", "gate", chosen((setting,), (setting,)))
    found = planned("s", base, protocol, "small", wanted)
    return {run.variant: trial.config for run, trial in found.items()}


@pytest.mark.parametrize("validations, longer", [(2, 4), (0, 0)])
def test_the_longer_run_validates_at_the_same_distance(validations, longer):
    fields = {**SMALL.fields, "train.validations": validations}
    cells = {"small": dataclasses.replace(SMALL, fields=fields)}
    found = of_the_gate(BASE, NONE, cells=cells)
    counts = {variant: config.train.validations for variant, config in found.items()}
    assert counts == {"": validations, LONGER: longer}


def test_the_longer_run_stretches_all_that_is_counted_in_epochs():
    base = override(
        BASE,
        {
            "optimizer.schedule": "step",
            "optimizer.warmup_epochs": 0.5,
            "optimizer.step_epochs": (1.0, 1.5),
        },
    )
    found = of_the_gate(base, Setting("variational", 0.1, 0.003))
    epochs = {
        variant: (
            config.train.epochs,
            config.optimizer.warmup_epochs,
            tuple(config.optimizer.step_epochs),
            config.noise.kl_warmup_epochs,
        )
        for variant, config in found.items()
    }
    once = (2, 0.5, (1.0, 1.5), 1.0)
    assert epochs == {
        "": once,
        LONGER: (4, 1.0, (2.0, 3.0), 2.0),
        "low": once,
        "high": once,
    }


def test_what_a_longer_run_does_not_read_stays_at_its_default():
    plain = of_the_gate(BASE, NONE)[LONGER]
    assert plain.noise.kl_warmup_epochs == BASE.noise.kl_warmup_epochs


def test_a_start_may_change_what_is_counted_in_epochs():
    starts = {"early": {"noise.kl_warmup_epochs": 0.5}}
    learned = dataclasses.replace(METHODS["variational"], starts=starts)
    found = of_the_gate(
        BASE,
        Setting("variational", 0.1, 0.003),
        methods={**METHODS, "variational": learned},
    )
    warmups = {name: config.noise.kl_warmup_epochs for name, config in found.items()}
    assert warmups == {"": 1.0, LONGER: 2.0, "early": 0.5}


def test_the_curve_has_its_own_seeds_and_what_serves_both_answers_once():
    found = runs(make(), "small", "curve", chosen((NONE,), (NONE,)))
    each = (NONE, WEAK, STRONG, FASTER)
    assert found == [Run(s, seed) for seed in (4, 5) for s in each]


def test_no_two_stages_have_a_trial_in_common():
    protocol = make()
    ids = []
    for stage in STAGES:
        wanted = runs(protocol, "small", stage, widest(protocol, "small"))
        ids += [t.id for t in planned("s", BASE, protocol, "small", wanted).values()]
    assert len(ids) == len(set(ids)) == 4 * 24 + 2 * 14 + 4 * 6 + 2 * 12


def small(**changed):
    return {"cells": {"small": dataclasses.replace(SMALL, **changed)}}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (small(searches=((10, 11), (11, 12))), "seed 11 for search 1 and for search 2"),
        ({"gate": Gate((10,))}, "seed 10 for search 1 and for gate"),
        (small(finals=((0, 1), (2, 20))), "seed 20 for gate and for final of search 2"),
        (small(curves=(3,)), "seed 3 for final of search 2 and for curve"),
        (small(searches=((10, 10), (12,))), "seed 10 for search 1 and for search 1"),
        (small(curves=()), "no seeds for curve"),
        (small(finals=((0, 1), (2,))), r"\[2, 1\] seeds: give each of the 2 searches"),
        (small(finals=((0, 1),)), r"\[2\] seeds: give each of the 2 searches equally"),
        ({"baseline": "plain"}, "baseline='plain' is none of the methods none, drop"),
        (
            small(baseline_learning_rates=(0.1, 0.2)),
            "2 learning rates of the baseline and 4 of 'dropout'",
        ),
        (
            small(extended={"dropout": Extension((), (0.1,))}),
            "4 learning rates of the baseline and 5 of 'dropout': the baseline needs",
        ),
        (small(extended={"decay": Extension((1.0,))}), "extends 'decay', no method"),
        (
            small(extended={"none": Extension((1.0,))}),
            "extends the strengths of 'none', which has no strength",
        ),
        (
            small(extended={"dropout": Extension((0.05, 0.3))}),
            "extends 'dropout' by strength 0.3, which its grid has already",
        ),
        (
            small(extended={"none": Extension((), (0.1, 0.1))}),
            "extends 'none' by learning rate 0.1, which its grid has already",
        ),
        (small(learning_rates=(0.1, 0.01)), r"are \(0.1, 0.01\): must increase"),
        (small(learning_rates=()), r"are \(\): must"),
        (small(methods={"decay": {}}), "fields of 'decay', no method"),
        (
            {"methods": {"none": Method(strengths=(1, 1))}},
            "method 'none' are .* increas",
        ),
        ({"gate": Gate((20,), factor=1)}, "gate.factor=1"),
        ({"cells": {"a/b": SMALL}}, "cell 'a/b' names files"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(changed, says):
    with pytest.raises(UserError, match=says) as caught:
        make(**changed)
    assert "\n" not in str(caught.value)


def test_a_config_file_must_return_a_protocol(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("def protocol(): return 3")
    with pytest.raises(UserError, match=r"returned 3: it must return"):
        load_protocol(str(file))
    file.write_text("")
    with pytest.raises(UserError, match=r"has no function protocol\(\)"):
        load_protocol(str(file))


def test_two_settings_that_are_the_same_run_are_refused():
    methods = {**METHODS, "again": METHODS["dropout"]}
    protocol = make(methods=methods)
    with pytest.raises(UserError, match="is the same run as one of arm 'dropout'"):
        planned("s", BASE, protocol, "small", runs(protocol, "small", "search"))
