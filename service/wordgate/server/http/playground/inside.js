// The view "Look inside": the surprisal of each word, and the gates of each layer.

import { call } from "./connect.js";
import { showDetails } from "./details.js";
import { byId, debounced, newestOnly } from "./dom.js";
import { exampleFor, SENTENCES } from "./examples.js";
import { drawHeatMap, drawLegend } from "./heatmap.js";

const LOOK_AFTER_MILLISECONDS = 400;
const ALTERNATIVES = 5;

export function startLooking(showProblem) {
  const [text, clue] = ["sentence", "clue"].map(byId);
  let model = null;

  const ask = newestOnly(
    (request, signal) => call("ModelService/Explain", request, signal),
    (explanation, request) => {
      showProblem(null);
      const show = (cell) => showDetails(byId("details"), explanation, cell, request.without);
      drawLegend(byId("legend"), request.without);
      drawHeatMap(byId("heat"), explanation, model.language, show);
    },
    showProblem,
  );

  function look() {
    if (!model) return;
    showProblem(null);
    if (text.value.trim()) {
      ask({ model: model.name, text: text.value, without: clue.value.trim(), topK: ALTERNATIVES });
    } else {
      ask.cancel();
      for (const part of ["heat", "legend", "details"]) byId(part).replaceChildren();
    }
  }

  const lookSoon = debounced(LOOK_AFTER_MILLISECONDS, look);
  text.addEventListener("input", () => {
    dropExampleClue();
    lookSoon();
  });
  clue.addEventListener("input", lookSoon);

  /** Empty the example's clue once the user has removed it from the text. */
  function dropExampleClue() {
    if (clue.value === clue.dataset.example && !text.value.includes(clue.value)) clue.value = "";
  }

  function fillIn(example) {
    const isUntouched = (field) => field.value === (field.dataset.example ?? "");
    if (!isUntouched(text) || !isUntouched(clue)) return;
    text.value = text.dataset.example = example.text;
    clue.value = clue.dataset.example = example.without;
  }

  return {
    show(chosen) {
      if (model?.name !== chosen.name) fillIn(exampleFor(SENTENCES, chosen.language));
      model = chosen;
      text.lang = clue.lang = chosen.language;
      look();
    },
    hide: () => ask.cancel(),
  };
}
