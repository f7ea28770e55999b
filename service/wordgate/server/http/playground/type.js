// The view "Type": suggestions under the caret of a text field.

import { call } from "./connect.js";
import { byId, newestOnly, number } from "./dom.js";
import { Editor } from "./editor.js";
import { SuggestionList } from "./suggestions.js";

const IS_TOUCH = matchMedia("(pointer: coarse)").matches;
const OPTIONS = { maxSuggestions: IS_TOUCH ? 3 : 5, maxPhraseWords: 6, maxCorrections: 1 };
const MAX_PREFIX = 128;

/** Split the text before the caret at its last white space, into history and prefix. */
function split(before) {
  const start = before.length - /\S*$/u.exec(before)[0].length;
  const cut = Math.max(start, before.length - MAX_PREFIX);
  return { history: before.slice(0, cut), prefix: before.slice(cut) };
}

/** Counts the keys that were pressed, and those that accepted suggestions saved. */
class KeyCount {
  #pressed = 0;
  #saved = 0;

  add(pressed, saved = 0) {
    this.#pressed += pressed;
    this.#saved += saved;
    this.#show();
  }

  reset() {
    this.#pressed = this.#saved = 0;
    this.#show();
  }

  #show() {
    const all = this.#pressed + this.#saved;
    byId("keys-pressed").textContent = this.#pressed;
    byId("keys-saved").textContent = this.#saved;
    byId("share-saved").textContent = all ? `${number((100 * this.#saved) / all, 0)} %` : "–";
  }
}

async function predict(request, signal) {
  const began = performance.now();
  const answer = await call("PredictionService/Predict", request, signal);
  return { ...answer, milliseconds: performance.now() - began };
}

export function startTyping(showProblem) {
  const keys = new KeyCount();
  const editor = new Editor(byId("editor"));
  const list = new SuggestionList(editor, byId("suggestions"), byId("suggested"));
  let model = null;

  const ask = newestOnly(
    predict,
    (answer, { history, prefix }) => {
      showProblem(null);
      if (editor.before !== history + prefix) return; // a newer request follows
      byId("round-trip").textContent = `${number(answer.milliseconds, 0)} ms`;
      list.show(answer.suggestions ?? [], answer.prefix ?? "");
    },
    (error) => {
      list.hide();
      showProblem(error);
    },
  );
  const hide = () => {
    ask.cancel();
    list.hide();
  };
  const suggest = () => {
    if (!model || !editor.before || editor.isBusy) hide();
    else ask({ model: model.name, ...split(editor.before), options: OPTIONS });
  };

  editor.onTyped = (count) => {
    keys.add(count);
    suggest();
  };
  editor.onMoved = () => {
    list.hide();
    suggest();
  };
  editor.onLeft = hide;
  list.isAwaited = ask.isPending;
  list.onDismissed = hide;
  list.onAccepted = (saved) => {
    keys.add(1, saved);
    suggest();
  };
  byId("clear-text").addEventListener("click", () => {
    hide();
    editor.clear();
    keys.reset();
  });

  return {
    show(chosen) {
      model = chosen;
      editor.language = chosen.language;
    },
    hide,
  };
}
