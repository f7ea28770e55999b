// The view "Load": live figures of the server, from `/load`.

import { read } from "./connect.js";
import { byId, element, number } from "./dom.js";

const PERIOD_MILLISECONDS = 1000;
const WINDOW_SECONDS = 5;
const FORGET_MILLISECONDS = 10_000;
const HISTORY = 60;
const SVG = "http://www.w3.org/2000/svg";

const perSecond = (value) => number(value, value < 10 ? 1 : 0);
const unlessNull = (format) => (value) => (value === null ? "–" : format(value));
const milliseconds = (seconds) => `${number(1000 * seconds, seconds < 0.01 ? 1 : 0)} ms`;
const CARDS = [
  { title: "Requests per second", format: perSecond, of: (sum) => sum.requests },
  { title: "Keys per second", format: perSecond, of: (sum) => sum.keys },
  {
    title: "99th percentile",
    format: unlessNull(milliseconds),
    of: (sum) => quantile(sum.durations, 0.99),
  },
  {
    title: "Rows per batch",
    format: unlessNull(number),
    of: (sum) => (sum.batches ? sum.rows / sum.batches : null),
  },
];

/**
 * Quantile of durations in seconds, or null without any. `buckets` are [upper bound, count], not
 * cumulative; within a bucket, durations count as evenly spread. The last bucket has no bound.
 */
function quantile(buckets, share) {
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

/** The latest samples of each server process that has answered: a proxy may ask several in turn. */
class Samples {
  #processes = new Map();

  add(sample) {
    const now = performance.now();
    const earlier = this.#processes.get(sample.process)?.samples ?? [];
    const isRecent = ({ seconds }) =>
      seconds < sample.seconds && sample.seconds - seconds <= WINDOW_SECONDS + 1;
    const recent = earlier.filter(isRecent); // the server may send a sample twice
    this.#processes.set(sample.process, { seen: now, samples: [...recent, sample] });
    for (const [name, { seen }] of this.#processes) {
      if (now - seen > FORGET_MILLISECONDS) this.#processes.delete(name);
    }
  }

  /** Sum of what the processes did in the window, or null before there are two samples of one. */
  sum() {
    const pairs = [...this.#processes.values()].map(({ samples }) => [samples[0], samples.at(-1)]);
    const spans = pairs.filter(([first, last]) => first !== last);
    return spans.length ? spans.map(([first, last]) => difference(first, last)).reduce(plus) : null;
  }
}

/** Rates of requests and keys between two samples of a process, and what it did meanwhile. */
function difference(first, last) {
  const seconds = last.seconds - first.seconds;
  return {
    requests: (last.requests - first.requests) / seconds,
    keys: (last.keys - first.keys) / seconds,
    rows: last.rows - first.rows,
    batches: last.batches - first.batches,
    durations: last.durations.map(([bound, count], at) => [bound, count - first.durations[at][1]]),
  };
}

function plus(one, other) {
  const sum = {};
  for (const name of ["requests", "keys", "rows", "batches"]) sum[name] = one[name] + other[name];
  sum.durations = one.durations.map(([bound, count], at) => [bound, count + other.durations[at][1]]);
  return sum;
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

  add(sum) {
    const value = this.#card.of(sum);
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
  let samples = new Samples();

  async function look() {
    try {
      const sample = await read("load");
      showProblem(null);
      samples.add(sample);
      const sum = samples.sum();
      if (sum) for (const card of cards) card.add(sum);
    } catch (error) {
      showProblem(error);
    }
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    samples = new Samples();
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
