// Elements and numbers.

export const byId = (id) => document.getElementById(id);

/** Make an element. Properties are set as such, names with a dash or `role` as attributes. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

/** Return a function that runs `work` once it was not called again for this time. */
export function debounced(milliseconds, work) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), milliseconds);
  };
}

export const BITS = 1 / Math.LN2;

/** A number with this many decimals and a real minus sign. */
export const number = (value, digits = 1) => value.toFixed(digits).replace(/^-/, "−");

/** A probability as a percentage that does not round to nothing. */
export function percent(probability) {
  if (probability >= 0.1) return `${number(100 * probability, 0)} %`;
  if (probability >= 0.01) return `${number(100 * probability, 1)} %`;
  return probability >= 0.0001 ? `${number(100 * probability, 2)} %` : "< 0.01 %";
}

/**
 * Return `ask(request)`, which sends one request at a time. While one is in flight, only the newest
 * of the others is kept. `show` gets each answer with its request, `fail` each error.
 */
export function newestOnly(send, show, fail) {
  let current = null;
  let next = null;

  async function ask(request) {
    if (current) {
      next = request;
      return;
    }
    const mine = (current = new AbortController());
    try {
      const answer = await send(request, mine.signal);
      if (mine === current) show(answer, request);
    } catch (error) {
      if (mine === current) fail(error);
    }
    if (mine !== current) return;
    const waiting = next;
    current = next = null;
    if (waiting) ask(waiting);
  }

  ask.isPending = () => current !== null;

  /** Drop all requests. Their answers are not shown. */
  ask.cancel = () => {
    current?.abort();
    current = next = null;
  };
  return ask;
}
