"""The checks that need a model, from records to findings, over a tiny one."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import heedful
from heedful import data
from heedful.checking_models import ModelView, model_checks
from heedful.checks.off_distribution import OffDistribution
from heedful.checks.running import run
from heedful.errors import ModelError
from heedful.models.scoring import score
from heedful.recipe import RewardTraining
from heedful.records import assistant, user
from heedful.render.chat import Renderer
from heedful.render.rows import render
from heedful.render.truncate import Limits
from heedful.training.tracking import Reporter
from tests import tiny
from tests.checks.noise import flip
from tests.training import small
from tests.training.test_cross_fit import cat_pairs


def view(**settings: object) -> ModelView:
    return ModelView(tiny.backbone(), reporter=small.QUIET, max_length=128, **settings)  # type: ignore[arg-type]


def test_flips_are_found_from_records_to_findings() -> None:
    noisy, _ = flip(cat_pairs(400), 0.2, seed=1)
    stream = io.StringIO()
    checks = model_checks(
        noisy, tiny.backbone(), reporter=Reporter(stream=stream), max_length=128, folds=4, repeats=3
    )
    outcomes = {check.name: outcome for check, outcome in checks}
    assert list(outcomes) == ["label_noise", "off_distribution"]
    found = outcomes["label_noise"]
    assert [finding.code for finding in found.findings] == ["labels_flipped"]
    assert found.figures["share"] == pytest.approx(0.2, abs=0.05)
    assert found.figures["low"] <= 0.2 <= found.figures["high"]
    assert outcomes["off_distribution"].figures["pairs"] == 200
    told = stream.getvalue()
    for title in ("Reading", "Cross-fitting reward models", "Losses of pairs", "The model's own answers"):
        assert title in told


def test_adapters_take_the_place_of_heads_where_training_is_given() -> None:
    training = RewardTraining(epochs=4, learning_rate=1e-2, batch_size=4)
    found = view(training=training).cross_fit(small.pairs(24), folds=2, repeats=1)
    assert (found.differences > 0).mean() > 0.7  # every rejected response begins with "no"


def test_pairs_that_cannot_be_rendered_have_no_score() -> None:
    pairs = cat_pairs(20)
    pairs[3] = replace(pairs[3], rejected=pairs[3].chosen)
    asked = view()
    found = asked.cross_fit(pairs, folds=4, repeats=2)
    losses = asked.losses(pairs, answers=2, start=4)
    absent = np.isnan(found.differences)
    assert absent[:, 3].all()
    assert absent.sum() == 2
    assert np.flatnonzero(np.isnan(losses.chosen)).tolist() == [3]
    assert np.flatnonzero(np.isnan(losses.rejected_start)).tolist() == [3]


def test_pairs_of_too_few_prompts_have_no_scores() -> None:
    pairs = [replace(pair, prompt=(user("one?"),)) for pair in cat_pairs(20)]
    assert np.isnan(view().cross_fit(pairs, folds=2, repeats=1).differences).all()


def test_losses_are_the_models_own_log_probs_per_token() -> None:
    asked, pairs = view(), cat_pairs(20)
    losses = asked.losses(pairs, answers=3, start=1000)
    rows = render(pairs, Renderer(asked.backbone.tokenizer), Limits(128))
    summed = score(asked.backbone.role("reference"), rows).double().numpy()
    tokens = np.array([[len(response) for response in row.responses] for row in rows])
    np.testing.assert_allclose(losses.chosen, (-summed / tokens)[:, 0], rtol=1e-4)
    np.testing.assert_allclose(losses.rejected, (-summed / tokens)[:, 1], rtol=1e-4)
    np.testing.assert_allclose(losses.chosen_start, losses.chosen)
    assert len(losses.own) == 3
    assert not np.allclose(asked.losses(pairs, answers=3, start=2).chosen_start, losses.chosen)


def test_the_models_own_answers_are_as_likely_as_it_says() -> None:
    """A tiny model is unsure of everything: what it samples itself costs it less than what it is told."""
    losses = view().losses(cat_pairs(40), answers=40, start=16)
    assert np.median(losses.own) < np.median(losses.chosen_start)


@pytest.mark.slow
def test_a_real_model_finds_letters_thrown_together_far_out() -> None:
    pairs = list(heedful.read(data.path("everyday/preferences-train.jsonl"), limit=48))
    asked = ModelView("smollm2-135m", reporter=small.QUIET)

    def found() -> list[str]:
        """Ids of what is far out."""
        checked = run(pairs, [OffDistribution(asked, answers=2)])
        far = [finding for finding in checked.findings if finding.code == "chosen_far_out"]
        return [example.id for finding in far for example in finding.examples]

    assert found() == []
    pairs[8] = replace(pairs[8], chosen=(assistant("xq zvv kjpw qqhx vb zzt mwpk gx qjh wvz"),))
    assert found() == [pairs[8].id]


def test_the_pages_python_runs_as_it_stands(
    tiny_default: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).resolve().parents[1] / "docs" / "label-noise.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    heedful.write(cat_pairs(120), "pairs.jsonl")
    exec(compile(block, "label-noise.md", "exec"), {})
    told = capsys.readouterr().out
    assert "label_noise {'pairs': 120, 'of': 120" in told
    assert "off_distribution {'pairs': 120" in told


def test_a_model_is_loaded_when_it_is_asked_and_not_before() -> None:
    view = ModelView("there is no such model", reporter=small.QUIET)
    with pytest.raises(ModelError):
        _ = view.backbone
