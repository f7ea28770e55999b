"""Data pipeline stages: Arrow tables in and out."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from wordgate.engine.local_model import LocalModel
from wordgate.errors import InvalidInput
from wordgate.offline.arrow import Rescore, Score
from wordgate.scoring.hypothesis import Hypothesis
from wordgate.scoring.score_weights import ScoreWeights


def test_texts_get_the_log_probabilities_of_one_process(bundle: Path, local: LocalModel) -> None:
    """One bit-identical value per row; rows that cannot be scored have an error."""
    texts = ["the sea", "", "a " * 5000, None, "the sun is up"]
    histories = ["down by", None, "", "", "look:"]
    table = pa.table({"id": list("abcde"), "text": texts, "history": histories})
    found = Score(bundle)(table).to_pylist()
    for row, text, history in zip(found, texts, histories, strict=True):
        if row["id"] in "cd":
            continue
        [scored] = local.submit_score(history or "", [text or ""]).result().candidates
        assert (row["log_prob"], row["error"]) == (scored.log_prob, None)
        assert (row["word_count"], row["token_count"]) == (scored.word_count, scored.token_count)
    assert [row["log_prob"] is None for row in found] == [False, False, True, True, False]
    assert "4096" in found[2]["error"]
    assert "candidates[0]" in found[3]["error"]


def test_candidates_get_a_list_each(bundle: Path, local: LocalModel) -> None:
    """Lists of different lengths stay lists; an empty list is an error of its row."""
    table = pa.table({"candidates": [["the sea", "the sky"], ["a"], []]})
    found = Score(bundle, count_eos=False)(table)
    assert found.schema.field("log_prob").type == pa.list_(pa.float64())
    rows = found.to_pylist()
    expected = local.submit_score("", ["the sea", "the sky"], False).result().candidates
    assert rows[0]["log_prob"] == [candidate.log_prob for candidate in expected]
    assert len(rows[1]["log_prob"]) == 1
    assert (rows[2]["log_prob"], "at least one" in rows[2]["error"]) == (None, True)
    with pytest.raises(InvalidInput, match="candidates"):
        Score(bundle)(pa.table({"sentence": ["a"]}))


def test_hypotheses_are_ranked(bundle: Path, local: LocalModel) -> None:
    """Rankings equal those of `wordgate rescore` for the same records."""
    heard = [
        {"text": "the son", "acoustic_log_prob": -20.0, "other": None},
        {"text": "the sun", "acoustic_log_prob": -22.0, "other": None},
    ]
    other = [{"text": "", "acoustic_log_prob": None, "other": 1.0}]
    table = pa.table({"candidates": [heard, other, []], "history": ["look at", None, None]})
    score_weights = ScoreWeights(3.0, -1.0, posterior_scale=2.0)
    rows = Rescore(bundle, score_weights=score_weights)(table).to_pylist()
    hypotheses = [
        Hypothesis("the son", {"acoustic_log_prob": -20.0}),
        Hypothesis("the sun", {"acoustic_log_prob": -22.0}),
    ]
    ranking = local.submit_rescore("look at", hypotheses, score_weights).result().ranking
    assert rows[0]["best"] == ranking.transcripts[0].text
    assert [(each["index"], each["total"], each["posterior"]) for each in rows[0]["ranking"]] == [
        (each.index, each.total, each.posterior) for each in ranking.transcripts
    ]
    assert (rows[1]["best"], rows[1]["error"]) == ("", None)
    assert (rows[2]["ranking"], "candidates" in rows[2]["error"]) == (None, True)
    assert json.dumps(rows)


def test_a_column_of_a_result_is_refused_before_the_work(bundle: Path) -> None:
    """A table that already has a result column is rejected before scoring."""
    with pytest.raises(InvalidInput, match=r"table\.error"):
        Score(bundle)(pa.table({"text": ["a"], "error": [""]}))
    with pytest.raises(InvalidInput, match=r"table\.best"):
        Rescore(bundle)(pa.table({"candidates": [["a"]], "best": [""]}))
