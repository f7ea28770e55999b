// The numbers of one cell of the heat map, in words.

import { BITS, element, number, percent } from "./dom.js";
import { shownWord } from "./heatmap.js";

const paragraph = (text) => element("p", { textContent: text });

/** Show the numbers of a cell: of a word, or of a layer while it reads a token. */
export function showDetails(box, explanation, cell, without) {
  const word = explanation.words[cell.word];
  const parts =
    cell.layer === undefined ? ofWord(word, without) : ofLayer(explanation.tokens[cell.token], cell);
  box.replaceChildren(...parts);
}

function ofWord(word, without) {
  const nats = word.surprisal ?? 0;
  const parts = [
    element("h2", { textContent: word.text ? `“${word.text}”` : "End of the text or line" }),
    paragraph(
      `Surprisal ${number(nats * BITS)} bits (${number(nats, 2)} nats): ` +
        `probability ${percent(Math.exp(-nats))}.`,
    ),
  ];
  if (word.logProbWithout !== undefined) parts.push(paragraph(worth(word, without)));
  if (word.alternatives?.length) parts.push(...alternatives(word));
  return parts;
}

function worth(word, without) {
  const bits = -word.logProbWithout * BITS;
  const gain = bits - (word.surprisal ?? 0) * BITS;
  const verdict = gain >= 0 ? "The words save" : "The words cost";
  return `Without “${without}”: ${number(bits)} bits. ${verdict} ${number(Math.abs(gain))} bits.`;
}

function alternatives(word) {
  const rows = word.alternatives.map((each) => {
    const probability = Math.exp(each.logProb ?? 0);
    const bar = element("div", { className: "bar", "aria-hidden": "true" }, element("div"));
    bar.firstChild.style.width = `${100 * probability}%`;
    const isChosen = each.word === word.word;
    return element(
      "li",
      { className: isChosen ? "chosen" : "" },
      element("span", { className: "text", textContent: each.word }),
      bar,
      element("span", { className: "share", textContent: percent(probability) }),
    );
  });
  const title = word.exact ? "The model expected" : "The model expected (search not exhaustive)";
  return [paragraph(title), element("ol", { className: "alternatives" }, ...rows)];
}

function ofLayer(token, { layer, field }) {
  const values = token.layers[layer];
  const value = (name) => values[name] ?? 0;
  const title = `Layer ${layer + 1} reading “${shownWord(token)}”`;
  return [element("h2", { textContent: title }), ...DESCRIBE[field](value).map(paragraph)];
}

const gate = (name, meaning) => (value) => [
  `${name} gate, ${meaning}: ${number(value(`${name.toLowerCase()}Mean`), 3)} on average.`,
  `${percentOf(value(`${name.toLowerCase()}Open`))} of the units nearly open (above 0.9), ` +
    `${percentOf(value(`${name.toLowerCase()}Shut`))} nearly shut (below 0.1).`,
];

const percentOf = (share) => `${number(100 * share, 0)} %`;

const forget = gate("Forget", "how much of the cell is kept");

const DESCRIBE = {
  forgetMean: (value) => [
    ...forget(value),
    `At the median forget gate, a cell loses half of its content in ${number(value("halfLife"))} tokens.`,
  ],
  inputMean: gate("Input", "how much of the candidate enters the cell"),
  outputMean: gate("Output", "how much of the cell is shown"),
  candidateMeanAbs: (value) => [
    `Candidate, what the token offers to the cell: ${number(value("candidateMeanAbs"), 3)} ` +
      "on average without sign, of at most 1.",
    `Mean with sign: ${number(value("candidateMean"), 3)}.`,
  ],
  cellMeanAbs: (value) => [
    `Cell state, what the layer remembers: ${number(value("cellMeanAbs"), 3)} on average without sign.`,
    `Greatest: ${number(value("cellMaxAbs"), 2)}. Mean with sign: ${number(value("cellMean"), 3)}.`,
  ],
};
