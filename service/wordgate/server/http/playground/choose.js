// The view "Choose": rank candidates by a recogniser's scores and the language model together.

import { call } from "./connect.js";
import { byId, debounced, element, newestOnly, number, percent } from "./dom.js";
import { CHOICES, exampleFor } from "./examples.js";

const SCORE = "acoustic_log_prob";
const RANK_AFTER_MILLISECONDS = 200;
const ANNOUNCE_AFTER_MILLISECONDS = 700;

/** Read candidates, one per line, each with or without a score. Throws for a bad line. */
function readCandidates(text) {
  const lines = text.split("\n").map((line, index) => ({ line: line.trim(), row: index + 1 }));
  const candidates = lines.filter(({ line }) => line).map(readCandidate);
  const scored = candidates.filter((each) => each.scores);
  const without = candidates.find((each) => !each.scores);
  if (scored.length && without) {
    throw new Error(`Line ${without.row} has no score. Give every line one, or none.`);
  }
  return candidates.map(({ text, scores }) => (scores ? { text, scores } : { text }));
}

function readCandidate({ line, row }) {
  const [, text, score] = /^(.*?)\s*(?:[|\t]\s*([^|\t]*))?$/u.exec(line);
  if (score === undefined) return { text, row };
  const value = Number(score.replace("−", "-"));
  if (!score.trim() || !Number.isFinite(value)) {
    throw new Error(`Line ${row}: “${score}” is not a number. Write the score after the last |.`);
  }
  return { text, row, scores: { [SCORE]: value } };
}

function row(transcript, isScored) {
  const parts = [`total ${number(transcript.total ?? 0)}`];
  if (isScored) parts.push(`recogniser ${number(transcript.scores?.[SCORE] ?? 0)}`);
  parts.push(`language model ${number(transcript.logProb ?? 0)}`);
  const posterior = transcript.posterior ?? 0;
  const bar = element("div", { className: "bar", "aria-hidden": "true" }, element("div"));
  bar.firstChild.style.width = `${100 * posterior}%`;
  return element(
    "li",
    {},
    element("span", { className: "text", textContent: transcript.text || "(nothing said)" }),
    element("span", { className: "share", textContent: percent(posterior) }),
    bar,
    element("span", { className: "parts", textContent: parts.join(" · ") }),
  );
}

export function startChoosing(showProblem) {
  const [history, candidates, weight] = ["before-candidates", "candidates", "lm-weight"].map(byId);
  const ranking = byId("ranking");
  const announce = debounced(ANNOUNCE_AFTER_MILLISECONDS, (text) => {
    byId("ranked").textContent = text;
  });
  let model = null;

  const ask = newestOnly(
    (request, signal) => call("ScoringService/Rescore", request, signal),
    (answer, request) => {
      showProblem(null);
      const { transcripts } = answer.ranking;
      const isScored = Boolean(request.nBest.candidates[0].scores);
      ranking.replaceChildren(...transcripts.map((each) => row(each, isScored)));
      ranking.lang = model.language;
      explain(isScored);
      announce(`First: ${transcripts[0].text}, ${percent(transcripts[0].posterior ?? 0)}.`);
    },
    fail,
  );

  function fail(error) {
    ask.cancel();
    ranking.replaceChildren();
    showProblem(error);
  }

  function explain(isScored) {
    weight.disabled = !isScored;
    byId("ranking-form").textContent = isScored
      ? "Total = recogniser + weight × language model, in nats. The bar is the posterior."
      : "Without scores of a recogniser, the language model decides alone. The bar is the posterior.";
  }

  function rank() {
    if (!model) return;
    byId("lm-weight-value").textContent = number(weight.valueAsNumber, 2);
    try {
      const read = readCandidates(candidates.value);
      if (!read.length) return fail(null);
      const scoreWeights = { lmWeight: weight.valueAsNumber };
      ask({ model: model.name, history: history.value, nBest: { candidates: read }, scoreWeights });
    } catch (error) {
      fail(error);
    }
  }

  const rankSoon = debounced(RANK_AFTER_MILLISECONDS, rank);
  history.addEventListener("input", rankSoon);
  candidates.addEventListener("input", rankSoon);
  weight.addEventListener("input", rank);

  return {
    show(chosen) {
      if (model?.name !== chosen.name) fillIn(exampleFor(CHOICES, chosen.language));
      model = chosen;
      history.lang = candidates.lang = chosen.language;
      rank();
    },
    hide: () => ask.cancel(),
  };

  /** Show the example of a language, unless the user has written something. */
  function fillIn(example) {
    const isUntouched = (field) => field.value === (field.dataset.example ?? "");
    if (!isUntouched(history) || !isUntouched(candidates)) return;
    history.value = history.dataset.example = example.history;
    candidates.value = candidates.dataset.example = example.candidates;
  }
}
