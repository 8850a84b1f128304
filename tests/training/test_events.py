# SPDX-License-Identifier: Apache-2.0
"""TensorBoard shows a run's metrics, and its configuration beside them."""

import errno
import shutil

import numpy as np
import pytest
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

from dropout_jax.config import UserError
from dropout_jax.training.events import EventWriter
from dropout_jax.training.run_directory import RunDirectory


def test_tensorboard_has_what_metrics_have(finished, events):
    found = events(finished.workdir / "tensorboard")
    records = RunDirectory(finished.workdir).metrics()
    for name in ("validation_accuracy", "train_loss", "learning_rate"):
        scalars = [(step, value) for tag, step, value in found if tag == name]
        wanted = [(record["step"], record[name]) for record in records]
        np.testing.assert_allclose(scalars, wanted, rtol=1e-6)


def test_tensorboard_has_the_hyperparameters(finished, summaries):
    found = {}
    for _, value in summaries(finished.workdir / "tensorboard"):
        if value.metadata.plugin_data.plugin_name == "hparams":
            content = value.metadata.plugin_data.content
            found[value.tag] = HParamsPluginData.FromString(content)
    # Without its end TensorBoard takes a session for one that is still at work.
    names = ("experiment", "session_start_info", "session_end_info")
    assert list(found) == [f"_hparams_/{name}" for name in names]
    told = found["_hparams_/session_start_info"].session_start_info.hparams
    assert told["noise.kind"].string_value == "dropout"
    assert told["noise.rates"].string_value == "[0.2]"
    assert told["optimizer.learning_rate"].number_value == 0.01
    assert told["model.residual"].WhichOneof("kind") == "bool_value"
    assert "train.checkpoint_seconds" not in told
    shown = found["_hparams_/experiment"].experiment
    assert {info.name for info in shown.hparam_infos} == set(told)
    record = RunDirectory(finished.workdir).metrics()[0]
    for info in shown.metric_infos:
        assert info.name.tag in record and "test" not in info.name.tag


def test_a_full_disk_is_told_and_waits_for_nobody(finished, tmp_path, monkeypatch):
    write = EventsWriter.write_event

    def full(writer, event):
        if event.step > 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(writer, event)

    run = RunDirectory(shutil.copytree(finished.workdir, tmp_path / "run"))
    monkeypatch.setattr(EventsWriter, "write_event", full)
    with pytest.raises(UserError, match=r"tensorboard cannot .* \(No space left on"):
        EventWriter(run)
