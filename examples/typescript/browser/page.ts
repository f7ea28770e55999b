/** A text field with suggestions: Tab accepts the first, a click any. */

import { Autocomplete } from "./autocomplete";
import { createPredictionClient } from "./client";

const field = document.querySelector("textarea")!;
const list = document.querySelector("ul")!;
const status = document.querySelector("output")!;

const server = new URLSearchParams(location.search).get("server") ?? "http://127.0.0.1:8080";
const autocomplete = new Autocomplete(createPredictionClient(server), {
  show(_, { suggestions, prefix }) {
    status.value = "";
    list.replaceChildren(...suggestions.map(({ text }) => suggestionButton(text, prefix)));
  },
  fail(error) {
    list.replaceChildren();
    status.value = error.message;
  },
});

function suggestionButton(word: string, prefix: string): HTMLElement {
  const button = document.createElement("button");
  button.textContent = word;
  button.addEventListener("click", () => accept(word, prefix));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

/** Replace the prefix before the cursor with a word and a space. */
function accept(word: string, prefix: string): void {
  const cursor = field.selectionStart;
  field.setRangeText(`${word} `, cursor - prefix.length, cursor, "end");
  field.focus();
  suggest();
}

function suggest(): void {
  list.replaceChildren();
  autocomplete.update(field.value.slice(0, field.selectionStart));
}

field.addEventListener("input", (event) => {
  if (!(event as InputEvent).isComposing) suggest();
});
field.addEventListener("compositionend", suggest);
field.addEventListener("keydown", (event) => {
  const first = list.querySelector("button");
  if (event.key !== "Tab" || event.shiftKey || !first) return;
  event.preventDefault();
  first.click();
});
