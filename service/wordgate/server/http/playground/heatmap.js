// A table with a column per token: surprisal as bars, the words, and a heat map of each layer.

import { BITS, element, number } from "./dom.js";

/** Rows of a layer: name, field of `LayerActivations`, and whether it is scaled to its maximum. */
export const ROWS = [
  { name: "forget gate", field: "forgetMean" },
  { name: "input gate", field: "inputMean" },
  { name: "output gate", field: "outputMean" },
  { name: "|candidate|", field: "candidateMeanAbs" },
  { name: "|cell|", field: "cellMeanAbs", isScaled: true },
];
const MIN_SCALE_BITS = 8;

/** Text to show for a word: the end of a line or of the text has none of its own. */
export const shownWord = (word) => word.text || "end";

export function drawLegend(box, without) {
  const key = (className, text) =>
    element("span", { className: "key" }, element("i", { className, "aria-hidden": "true" }), text);
  const bars = [key("bar-with", "surprisal in bits")];
  if (without) bars.push(key("bar-without", `without “${without}”`));
  const ramp = element("i", { className: "ramp", "aria-hidden": "true" });
  const scale = element("span", { className: "key" }, "0 ", ramp, " 1, mean of a layer’s units");
  box.replaceChildren(...bars, scale);
}

/** Draw an explanation. `show` gets the cell that the user points at or moves to. */
export function drawHeatMap(box, explanation, language, show) {
  const { words, tokens } = explanation;
  const grid = new Grid(tokens.length, show);
  const head = [barsRow(grid, words), wordsRow(grid, words, language)];
  if (words.some((word) => word.tokenCount > 1)) head.push(tokensRow(grid, tokens, language));
  const highestFirst = tokens[0].layers.map((_, layer) => layer).reverse();
  const layers = highestFirst.map((layer) => layerRows(grid, tokens, layer));
  const table = element(
    "table",
    { role: "grid", "aria-label": "Surprisal and gates by token" },
    element("thead", {}, ...head),
    ...layers,
  );
  box.replaceChildren(table);
  grid.start();
}

/** Focusable cells, between which arrow keys move. One of them is in the tab order. */
class Grid {
  #rows = [];
  #current = null;
  #columns;
  #show;

  constructor(columns, show) {
    this.#columns = columns;
    this.#show = show;
  }

  /** Add a row of [cell, span, what it shows]. */
  add(cells) {
    const row = cells.flatMap(([cell, span]) => Array(span).fill(cell));
    const index = this.#rows.push(row) - 1;
    for (const [cell, , content] of cells) {
      cell.tabIndex = -1;
      cell.addEventListener("focus", () => this.#enter(cell, content));
      cell.addEventListener("pointerenter", () => this.#show(content));
      cell.addEventListener("keydown", (event) => this.#keyed(event, index, row.indexOf(cell)));
    }
  }

  start() {
    const [first] = this.#rows[0];
    first.tabIndex = 0;
    this.#current = first;
    first.dispatchEvent(new Event("pointerenter"));
  }

  #enter(cell, content) {
    this.#current.tabIndex = -1;
    cell.tabIndex = 0;
    this.#current = cell;
    this.#show(content);
  }

  #keyed(event, row, column) {
    const cell = this.#rows[row][column];
    const end = this.#rows[row].lastIndexOf(cell);
    const last = this.#columns - 1;
    const target = {
      ArrowLeft: [row, Math.max(0, column - 1)],
      ArrowRight: [row, Math.min(last, end + 1)],
      ArrowUp: [Math.max(0, row - 1), column],
      ArrowDown: [Math.min(this.#rows.length - 1, row + 1), column],
      Home: [row, 0],
      End: [row, last],
    }[event.key];
    if (!target) return;
    event.preventDefault();
    this.#rows[target[0]][target[1]].focus();
  }
}

function rowOf(grid, className, header, cells) {
  grid.add(cells);
  const title = element("th", { scope: "row", textContent: header });
  return element("tr", { className }, title, ...cells.map(([cell]) => cell));
}

function barsRow(grid, words) {
  const highest = Math.max(MIN_SCALE_BITS, ...words.flatMap(surprisals));
  const cells = words.map((word, index) => {
    const bars = surprisals(word).map((bits, which) => {
      const bar = element("div", { className: which ? "bar-without" : "bar-with" });
      bar.style.setProperty("--share", bits / highest);
      return element("div", { className: "column" }, element("span", { textContent: number(bits) }), bar);
    });
    const columns = element("div", { className: "columns" }, ...bars);
    return [element("td", { colSpan: word.tokenCount }, columns), word.tokenCount, { word: index }];
  });
  return rowOf(grid, "bars", "bits", cells);
}

/** Surprisal of a word in bits, and without the clue if that is known. */
function surprisals(word) {
  const without = word.logProbWithout === undefined ? [] : [-word.logProbWithout * BITS];
  return [(word.surprisal ?? 0) * BITS, ...without];
}

function wordsRow(grid, words, language) {
  const cells = words.map((word, index) => {
    const header = element("th", { scope: "col", colSpan: word.tokenCount, lang: language });
    header.textContent = shownWord(word);
    header.className = word.text ? "" : "mark";
    return [header, word.tokenCount, { word: index }];
  });
  return rowOf(grid, "words", "word", cells);
}

function tokensRow(grid, tokens, language) {
  const cells = tokens.map((token, index) => {
    const cell = element("td", { textContent: token.text, lang: language });
    return [cell, 1, { word: token.wordIndex ?? 0, token: index }];
  });
  return rowOf(grid, "tokens", "token", cells);
}

function layerRows(grid, tokens, layer) {
  const name = element("span", { textContent: `Layer ${layer + 1}` });
  const title = element("th", { colSpan: tokens.length + 1, scope: "rowgroup" }, name);
  const rows = ROWS.map((row) => heatRow(grid, tokens, layer, row));
  return element("tbody", {}, element("tr", { className: "layer" }, title), ...rows);
}

function heatRow(grid, tokens, layer, { name, field, isScaled }) {
  const values = tokens.map((token) => token.layers[layer][field] ?? 0);
  const highest = isScaled ? Math.max(...values) || 1 : 1;
  const cells = values.map((value, index) => {
    const share = Math.min(1, value / highest);
    const cell = element("td", { textContent: number(value, 2).replace(/^0/, "") });
    cell.className = share < 0.5 ? "low" : "high";
    cell.style.setProperty("--share", `${200 * (share < 0.5 ? share : share - 0.5)}%`);
    return [cell, 1, { word: tokens[index].wordIndex ?? 0, token: index, layer, field }];
  });
  return rowOf(grid, "heat", name, cells);
}
