// The list of suggestions under the caret, and the keys that choose from it.

import { debounced, element, percent } from "./dom.js";
import { isUnspaced } from "./editor.js";

const PHRASE = "SUGGESTION_KIND_PHRASE";
const LABELS = { [PHRASE]: "phrase", SUGGESTION_KIND_CORRECTION: "correction" };
const ANNOUNCE_AFTER_MILLISECONDS = 700;

export class SuggestionList {
  /** Called with the number of keys saved when a suggestion was accepted. */
  onAccepted = () => {};
  /** Called when the user hides the list. */
  onDismissed = () => {};
  /** Whether newer suggestions are on their way. */
  isAwaited = () => false;

  #editor;
  #box;
  #shown = [];
  #prefix = "";
  #before = "";
  #marked = 0;
  #hasMarked = false;
  #announce;

  constructor(editor, box, status) {
    this.#editor = editor;
    this.#box = box;
    this.#announce = debounced(ANNOUNCE_AFTER_MILLISECONDS, (text) => (status.textContent = text));
    editor.field.addEventListener("keydown", (event) => this.#keyed(event));
  }

  get isOpen() {
    return !this.#box.hidden;
  }

  /** Show suggestions that replace `prefix`. */
  show(suggestions, prefix) {
    if (!suggestions.length || !this.#editor.before.endsWith(prefix)) return this.hide();
    this.#shown = suggestions;
    this.#prefix = prefix;
    this.#before = this.#editor.before;
    this.#hasMarked = false;
    this.#box.replaceChildren(...suggestions.map((each, index) => this.#option(each, index)));
    this.#box.hidden = false;
    this.#place();
    this.#mark(0);
    const words = suggestions.map((each) => each.text).join(", ");
    this.#announce(`${words}. Tab takes ${suggestions[0].text}.`);
    return undefined;
  }

  hide() {
    this.#shown = [];
    this.#box.hidden = true;
    this.#editor.ghost = "";
    this.#editor.field.removeAttribute("aria-activedescendant");
    this.#announce("");
  }

  #option(suggestion, index) {
    const kind = LABELS[suggestion.kind] ?? "";
    const option = element(
      "div",
      { role: "option", id: `suggestion-${index}`, lang: this.#editor.field.lang },
      element("span", { className: "digit", textContent: index < 9 ? index + 1 : "" }),
      element("span", { className: "word", textContent: suggestion.text }),
      element("span", { className: "kind", textContent: kind }),
      element("span", { className: "share", textContent: percent(suggestion.probability ?? 0) }),
    );
    option.addEventListener("pointerdown", (event) => event.preventDefault()); // keeps the focus
    option.addEventListener("click", () => this.#accept(index));
    return option;
  }

  #place() {
    const { left, top } = this.#editor.caretPlace;
    const most = this.#box.parentElement.clientWidth - this.#box.offsetWidth;
    this.#box.style.left = `${Math.max(0, Math.min(left - 12, most))}px`;
    this.#box.style.top = `${top + 4}px`;
  }

  #mark(index) {
    this.#marked = index;
    [...this.#box.children].forEach((option, each) => {
      option.setAttribute("aria-selected", String(each === index));
    });
    this.#editor.field.setAttribute("aria-activedescendant", `suggestion-${index}`);
    this.#editor.ghost = this.#continuation(this.#greyText());
  }

  /** The phrase that begins with the marked word, or this word. */
  #greyText() {
    const marked = this.#shown[this.#marked].text;
    const extendsMarked = ({ kind, text }) =>
      kind === PHRASE &&
      text.startsWith(marked) &&
      (isUnspaced(marked) || !/^[\p{L}\p{N}]/u.test(text.slice(marked.length)));
    return this.#shown.find(extendsMarked)?.text ?? marked;
  }

  /** The part of a text that continues what is typed, or nothing. */
  #continuation(text) {
    const typed = text.slice(0, this.#prefix.length);
    if (typed.toLowerCase() !== this.#prefix.toLowerCase()) return "";
    return this.#editor.missingSpace(this.#prefix, text) + text.slice(typed.length);
  }

  #keyed(event) {
    if (event.isComposing || event.ctrlKey || event.metaKey) return;
    const isCurrent = this.isOpen && this.#editor.before === this.#before;
    if (!this.isOpen && !this.isAwaited()) return;
    const act = isCurrent ? this.#actionOf(event) : this.#actionBeforeAnswer(event);
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** While suggestions are on their way, Tab does nothing rather than leave the field. */
  #actionBeforeAnswer(event) {
    if (event.altKey || event.shiftKey) return null;
    return { Tab: () => {}, Escape: () => this.#dismiss() }[event.key] ?? null;
  }

  #actionOf(event) {
    const digit = this.#digitOf(event);
    if (digit !== null) return () => this.#accept(digit);
    if (event.altKey || event.shiftKey) return null;
    const count = this.#shown.length;
    const isAtEnd = !this.#editor.after;
    const actions = {
      Tab: () => this.#accept(this.#marked),
      Escape: () => this.#dismiss(),
      ArrowDown: () => this.#choose((this.#marked + 1) % count),
      ArrowUp: () => this.#choose((this.#marked + count - 1) % count),
      Enter: this.#hasMarked ? () => this.#accept(this.#marked) : null,
      ArrowRight: isAtEnd && this.#editor.ghost ? () => this.#acceptText(this.#greyText()) : null,
    };
    return actions[event.key] ?? null;
  }

  /** Index that a digit key chooses: with Alt, after an arrow key, or in Chinese text. Or null. */
  #digitOf(event) {
    const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
    const isChoosing = this.#hasMarked || isUnspaced(this.#editor.before);
    const isMeant = event.altKey || (!event.shiftKey && isChoosing);
    return digit && isMeant && digit <= this.#shown.length ? digit - 1 : null;
  }

  #dismiss() {
    this.hide();
    this.onDismissed();
  }

  #choose(index) {
    this.#hasMarked = true;
    this.#mark(index);
  }

  #accept(index) {
    this.#acceptText(this.#shown[index].text);
  }

  #acceptText(text) {
    const saved = this.#editor.accept(this.#prefix, text);
    this.hide();
    this.onAccepted(saved);
  }
}
