"""Where numbers go besides metrics.jsonl: trackers through Accelerate, and what a person sees."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from heedful.training import sft
from heedful.training.job import Given
from heedful.training.tracking import MetricsLog, Reporter, read_metrics
from tests import tiny
from tests.training import small


def test_tensorboard_gets_every_number_of_the_log(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = small.train("sft", tmp_path / "run", trackers=["tensorboard"], eval_fraction=0.25).run
    (events,) = run.rglob("events.out.tfevents*")
    found = EventAccumulator(str(events.parent)).Reload()
    for kind, name in (("train", "loss"), ("train", "learning_rate"), ("eval", "loss")):
        logged = {
            line["step"]: line[name] for line in read_metrics(run / "metrics.jsonl") if line["kind"] == kind
        }
        seen = {event.step: event.value for event in found.Scalars(f"{kind}/{name}")}
        assert seen == pytest.approx(logged, rel=1e-5)


def test_without_trackers_nothing_but_the_run_is_written(tmp_path: Path) -> None:
    run = small.train("sft", tmp_path / "run").run
    assert not list(run.rglob("events*"))


def said(tmp_path: Path, *, quiet: bool) -> str:
    stream = io.StringIO()
    given = Given(small.demonstrations(12), None, tiny.backbone())
    recipe = small.recipe("sft", tmp_path / "run", eval_fraction=0.25)
    sft.run(recipe, given, reporter=Reporter(quiet=quiet, stream=stream))
    return stream.getvalue()


def test_a_person_without_a_terminal_reads_plain_lines(tmp_path: Path) -> None:
    text = said(tmp_path, quiet=False)
    assert "Training rows: 9 read, 9 kept" in text
    assert "Held-out rows: 3 read, 3 kept" in text
    assert "Training 3/3  loss " in text
    assert f"Done: {tmp_path / 'run' / 'adapter'}" in text
    assert "\x1b" not in text


def test_quiet_is_quiet(tmp_path: Path) -> None:
    assert said(tmp_path, quiet=True) == ""


def test_quiet_still_warns() -> None:
    stream = io.StringIO()
    reporter = Reporter(quiet=True, stream=stream)
    reporter.say("nothing much")
    reporter.warn("mind the gap")
    assert stream.getvalue() == "mind the gap\n"


def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.write("train", 1, {"loss": 2.0})
    position = log.position()
    log.write("train", 2, {"loss": 1.0})
    log.close()
    with log.path.open("a") as file:
        file.write('{"kind": "train", "st')
    assert [line["step"] for line in read_metrics(log.path)] == [1, 2]
    again = MetricsLog(log.path)
    again.cut(position)
    again.write("train", 2, {"loss": 1.5})
    again.close()
    assert read_metrics(log.path) == [
        {"kind": "train", "step": 1, "loss": 2.0},
        {"kind": "train", "step": 2, "loss": 1.5},
    ]
