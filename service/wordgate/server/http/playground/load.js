// The view "Load": live figures of the server, from `/load`.

import { read } from "./connect.js";
import { byId, element, number } from "./dom.js";

const PERIOD_MILLISECONDS = 1000;
const WINDOW_SAMPLES = 5;
const HISTORY = 60;
const SVG = "http://www.w3.org/2000/svg";

const perSecond = (value) => number(value, value < 10 ? 1 : 0);
const CARDS = [
  { title: "Requests per second", format: perSecond, of: ({ per }) => per("requests") },
  { title: "Keys per second", format: perSecond, of: ({ per }) => per("keys") },
  {
    title: "99th percentile",
    format: (seconds) => (seconds === null ? "–" : `${number(1000 * seconds, seconds < 0.01 ? 1 : 0)} ms`),
    of: ({ gained }) => quantile(gained.durations, 0.99),
  },
  {
    title: "Rows per batch",
    format: (rows) => (rows === null ? "–" : number(rows)),
    of: ({ gained }) => (gained.batches ? gained.rows / gained.batches : null),
  },
];

/**
 * Quantile of durations in seconds, or null without any. `buckets` are [upper bound, count], not
 * cumulative; within a bucket, durations count as evenly spread. The last bucket has no bound.
 */
export function quantile(buckets, share) {
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  if (!total) return null;
  let [below, rest] = [0, share * total];
  for (const [bound, count] of buckets) {
    if (bound === null) return below;
    if (rest <= count) return below + ((bound - below) * rest) / count;
    [below, rest] = [bound, rest - count];
  }
  return below;
}

/** What was counted between two samples of one server process. */
function difference(earlier, later) {
  const gained = {
    durations: later.durations.map(([bound, count], index) => [
      bound,
      count - earlier.durations[index][1],
    ]),
  };
  for (const name of ["requests", "keys", "rows", "batches"]) gained[name] = later[name] - earlier[name];
  const seconds = later.seconds - earlier.seconds;
  return { gained, per: (name) => gained[name] / seconds };
}

class Card {
  #value = element("dd", { textContent: "–" });
  #line;
  #values = [];
  #card;

  constructor(card) {
    this.#card = card;
    const chart = document.createElementNS(SVG, "svg");
    chart.setAttribute("viewBox", `0 0 ${HISTORY - 1} 20`);
    chart.setAttribute("preserveAspectRatio", "none");
    chart.setAttribute("aria-hidden", "true");
    this.#line = document.createElementNS(SVG, "polyline");
    chart.append(this.#line);
    const title = element("dt", { textContent: card.title });
    this.element = element("div", {}, title, this.#value, element("dd", { className: "chart" }, chart));
  }

  add(figures) {
    const value = this.#card.of(figures);
    this.#value.textContent = this.#card.format(value);
    this.#values = [...this.#values, value].slice(-HISTORY);
    const highest = Math.max(...this.#values) || 1;
    const offset = HISTORY - this.#values.length;
    const points = this.#values.map((each, index) => `${offset + index},${19 - (18 * each) / highest}`);
    this.#line.setAttribute("points", points.join(" "));
  }
}

export function startLoad(showProblem) {
  const cards = CARDS.map((card) => new Card(card));
  byId("cards").replaceChildren(...cards.map((card) => card.element));
  const pause = byId("pause");
  let timer = 0;
  let samples = [];

  async function look() {
    try {
      const sample = await read("load");
      showProblem(null);
      samples = samples.filter((each) => each.process === sample.process).slice(-WINDOW_SAMPLES);
      if (samples.length) {
        const figures = difference(samples[0], sample);
        for (const card of cards) card.add(figures);
      }
      samples.push(sample);
    } catch (error) {
      showProblem(error);
    }
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    samples = [];
  }

  function start() {
    stop();
    look();
    timer = setInterval(look, PERIOD_MILLISECONDS);
  }

  pause.addEventListener("click", () => {
    const isPaused = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", String(isPaused));
    if (isPaused) stop();
    else start();
  });

  return {
    show() {
      if (pause.getAttribute("aria-pressed") !== "true") start();
    },
    hide: stop,
  };
}
