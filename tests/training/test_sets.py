# SPDX-License-Identifier: Apache-2.0
"""Three sets of parameters: kept at the right epochs, tested, stored and loaded."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from dropout_jax import data, training
from dropout_jax.config import Interrupted, UserError
from dropout_jax.evaluation import metrics
from dropout_jax.training import checkpoints, engine, load_run, loop, sets
from dropout_jax.training.run_directory import RunDirectory

# Two epochs share the highest validation accuracy; the least NLL is between them.
FIELDS = {"train.epochs": 5}
STEPS_PER_EPOCH = 3
NAMES = ("best_accuracy", "least_nll", "last")
SAME = ("sets", "parameters_sha256", "metrics_sha256", "best_epoch", "test")


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory, recorder):
    """A run whose three sets differ, and the digest of the parameters by epoch."""
    digests, save = {}, checkpoints.save

    def spy(directory, step, tree, host):
        digests[step] = checkpoints.sha256_of_tree(tree["state"].params)
        save(directory, step, tree, host)

    config = tiny({**FIELDS, "train.checkpoint_seconds": 0.0})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "save", spy)
        place = tmp_path_factory.mktemp("sets") / "run"
        result = training.run(config, place, progress=recorder())
    epochs = range(1, FIELDS["train.epochs"] + 1)
    return result, {epoch: digests[epoch * STEPS_PER_EPOCH] for epoch in epochs}


def expected_epochs(workdir):
    """By argmax and argmin, which take the first of equals."""
    records = RunDirectory(workdir).metrics()
    accuracies = [record["validation_accuracy"] for record in records]
    losses = [record["validation_loss"] for record in records]
    epochs = int(np.argmax(accuracies)) + 1, int(np.argmin(losses)) + 1, len(records)
    assert accuracies.count(max(accuracies)) == 2 and len(set(epochs)) == 3
    return dict(zip(NAMES, epochs, strict=True))


def test_each_set_is_of_its_epoch_the_first_of_equals(whole):
    result, digests = whole
    found, records = result.values["sets"], RunDirectory(result.workdir).metrics()
    assert tuple(sorted(found)) == tuple(sorted(NAMES)) == tuple(sorted(sets.NAMES))
    for name, epoch in expected_epochs(result.workdir).items():
        one, record = found[name], records[epoch - 1]
        assert one["epoch"] == epoch, name
        assert one["parameters_sha256"] == digests[epoch]
        assert one["validation"]["accuracy"] == record["validation_accuracy"]
        assert one["validation"]["nll"] == record["validation_loss"]
        assert one["noise"] == record["noise"] == {}
        assert set(one) == {
            *("epoch", "validation", "test", "reliability"),
            *("parameters_sha256", "noise"),
        }
    assert len({one["parameters_sha256"] for one in found.values()}) == 3


@pytest.mark.parametrize("name", NAMES)
def test_each_set_is_loaded_and_predicts_what_was_found(whole, name):
    result, digests = whole
    run, dataset = load_run(result.workdir, name), data.load("synthetic")
    told = result.values["sets"][name]
    assert (run.parameters, run.epoch) == (name, told["epoch"])
    assert checkpoints.sha256_of_tree(run.params) == digests[told["epoch"]]
    for split in ("validation", "test"):
        logits = run.predict(getattr(dataset, f"{split}_images"))
        labels = jnp.asarray(getattr(dataset, f"{split}_labels"), jnp.int32)
        found = metrics.summary(logits, labels)
        assert {metric: float(v) for metric, v in found.items()} == told[split]
    bins = metrics.reliability(logits, labels)._asdict()
    assert {k: np.asarray(v).tolist() for k, v in bins.items()} == told["reliability"]


@pytest.mark.parametrize(("keep", "name"), [("best", NAMES[0]), ("last", NAMES[2])])
def test_the_result_reports_the_set_that_keep_names(
    whole, tiny, tmp_path, recorder, keep, name
):
    config, values = tiny({**FIELDS, "train.keep": keep}), whole[0].values
    found = training.run(config, tmp_path / "run", progress=recorder()).values
    assert found["sets"] == values["sets"]
    told = values["sets"][name]
    assert found["best_epoch"] == told["epoch"]
    for entry in ("validation", "test", "reliability", "parameters_sha256"):
        assert found[entry] == told[entry], entry
    run = load_run(tmp_path / "run")
    assert (run.parameters, run.epoch) == (name, told["epoch"])


def test_of_equals_the_first_epoch_counts():
    kept = sets.begin("initial")
    assert kept.models() == {0: "initial"}
    for epoch, (accuracy, nll) in enumerate(
        [(0.7, 0.9), (0.8, 0.6), (0.7, 0.5), (0.8, 0.5), (0.6, 0.7)], 1
    ):
        found = sets.Kept(epoch, {"accuracy": accuracy, "nll": nll}, f"model {epoch}")
        kept = sets.after(kept, found)
    assert [one.epoch for one in kept] == [2, 3, 5]
    assert kept.models() == {2: "model 2", 3: "model 3", 5: "model 5"}


def test_an_unknown_set_is_one_line(whole):
    with pytest.raises(UserError, match=r"parameters='best' is no set .* least_nll"):
        load_run(whole[0].workdir, "best")


@pytest.mark.parametrize("name", NAMES)
def test_other_parameters_than_were_tested_are_never_loaded(
    finished, tmp_path, recorder, tiny, name
):
    training.run(tiny(), tmp_path / "run", progress=recorder())
    directory = RunDirectory(tmp_path / "run")
    values = directory.result()
    values["sets"][name]["parameters_sha256"] = "0" * 64
    directory.write_result(values)
    with pytest.raises(UserError, match="tested parameters is damaged"):
        load_run(tmp_path / "run", name)
    for other in set(NAMES) - {name}:
        assert load_run(tmp_path / "run", other).parameters == other


def test_interrupted_and_resumed_all_sets_have_the_same_bits(
    whole, tiny, tmp_path, recorder, monkeypatch
):
    """Stopped before the first epoch, and where one and two epochs are kept."""
    counts = []
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    for step in (1, 5, 11, 12):
        with pytest.raises(Interrupted):
            training.run(
                tiny(FIELDS), tmp_path / "run", progress=recorder(stop_after=(step,))
            )
        saved = json.loads(
            (tmp_path / "run" / "checkpoints" / str(step) / "MANIFEST.json").read_text()
        )
        kept = saved["host"]["lanes"][0]["sets"]
        models = {key.split("]")[2] for key, _ in saved["arrays"] if "models" in key}
        assert len({one["epoch"] for one in kept.values()}) == len(models)
        counts.append(len(models))
    assert counts == [1, 1, 1, 2]
    result = training.run(tiny(FIELDS), tmp_path / "run", progress=recorder())
    for name in SAME:
        assert result.values[name] == whole[0].values[name], name


def test_a_group_keeps_the_sets_of_each_trial(whole, tiny, tmp_path, recorder):
    configs = [tiny(FIELDS), tiny({**FIELDS, "optimizer.learning_rate": 0.003})]
    places = [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(Interrupted):
        training.run_group(
            configs, places, tmp_path / "g", progress=recorder(stop_after=(12,))
        )
    results = training.run_group(configs, places, tmp_path / "g", progress=recorder())
    for name in SAME:
        assert results[0].values[name] == whole[0].values[name], name
    epochs = [{k: v["epoch"] for k, v in r.values["sets"].items()} for r in results]
    assert epochs[0] != epochs[1]
    for place, result in zip(places, results, strict=True):
        for name in NAMES:
            run = load_run(place, name)
            digest = checkpoints.sha256_of_tree(run.params)
            assert digest == result.values["sets"][name]["parameters_sha256"]


def test_sets_of_one_epoch_are_tested_once(
    finished, tiny, tmp_path, recorder, monkeypatch
):
    asked, evaluate = [], engine.Engine.evaluate

    def counted(self, parameters, splits):
        asked.append([len(labels) for _, labels in splits])
        return evaluate(self, parameters, splits)

    monkeypatch.setattr(engine.Engine, "evaluate", counted)
    for epochs, tests in ((1, 1), (5, 3)):
        asked.clear()
        values = training.run(
            tiny({"train.epochs": epochs}), tmp_path / str(epochs), progress=recorder()
        ).values
        # Training and validation images after each epoch, the test set in the end.
        assert list(map(len, asked)) == [2] * epochs + [1] * tests
        assert all("test" in one for one in values["sets"].values())


def test_what_a_search_left_untested_is_tested_when_asked(
    whole, tiny, tmp_path, recorder
):
    untested = training.run(
        tiny(FIELDS), tmp_path / "run", test=False, progress=recorder()
    ).values
    for one in untested["sets"].values():
        assert "validation" in one and not {"test", "reliability"} & set(one)
    tested = training.run(tiny(FIELDS), tmp_path / "run", progress=recorder()).values
    for name in SAME:
        assert tested[name] == whole[0].values[name], name


def test_a_pruned_run_has_sets_that_were_not_tested(tiny, tmp_path, recorder):
    """In a group, which trains on: they are of the epoch where it was pruned."""
    configs = [tiny(FIELDS), tiny({**FIELDS, "seed": 1})]
    places = [tmp_path / "a", tmp_path / "b"]
    results = training.run_group(
        configs,
        places,
        tmp_path / "g",
        prune=lambda number, record: (number, record["epoch"]) == (0, 2),
        progress=recorder(),
    )
    assert [result.status for result in results] == ["pruned", "done"]
    found = results[0].values["sets"]
    assert found["last"]["epoch"] == 2 and found["best_accuracy"]["epoch"] == 1
    for name in NAMES:
        assert found[name]["validation"]["nll"] > 0 and "test" not in found[name]
        run = load_run(places[0], name)
        digest = checkpoints.sha256_of_tree(run.params)
        assert digest == found[name]["parameters_sha256"]


def test_a_diverged_run_has_none(tiny, tmp_path, recorder):
    fields = {"optimizer.learning_rate": 10.0, "regularizer.weight_decay": 1e30}
    values = training.run(tiny(fields), tmp_path / "run", progress=recorder()).values
    assert values["status"] == "diverged" and "sets" not in values


def test_learned_noise_and_sparsity_are_those_of_the_sets_epoch(
    tiny, tmp_path, recorder
):
    fields = {**FIELDS, "noise.kind": "variational_dense", "noise.rates": ()}
    values = training.run(tiny(fields), tmp_path / "run", progress=recorder()).values
    records = RunDirectory(tmp_path / "run").metrics()
    noise = [values["sets"][name]["noise"] for name in NAMES]
    assert noise == [records[values["sets"][n]["epoch"] - 1]["noise"] for n in NAMES]
    assert len(noise[2]) == 2 and noise[0] != noise[2]
    for name in NAMES:
        told = values["sets"][name]["sparsity"]
        assert told.keys() == {"dense_0", "logits"}


def test_the_result_names_the_sites_of_the_noise(whole):
    """`noise.rates` has one entry for each but the first, or one for all of them."""
    result, _ = whole
    assert result.values["sites"] == list(load_run(result.workdir).model.sites)
    assert len(result.values["sites"]) == 2
