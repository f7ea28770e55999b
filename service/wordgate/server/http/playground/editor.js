// A text field that knows where its caret is on the screen, and shows grey text behind it.

const CLOSING = /^[.,;:!?)\]}”’…%]/u;
const BEFORE_SPACE = /[.,;:!?)\]}”…%]$/u;
const UNSPACED_LANGUAGE = /^(zh|ja|th|lo|km|my|bo)\b/;
const UNSPACED_TEXT =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}，。、！？；：）」』]$/u;
const MOVES = new Set(["ArrowLeft", "ArrowRight", "Home", "End"]);

/** Whether a text ends in a script without spaces between words. */
export const isUnspaced = (text) => UNSPACED_TEXT.test(text);

const countCharacters = (text) => [...text].length;

export class Editor {
  /** Called after each key that changes the text. */
  onTyped = () => {};
  /** Called when the caret has moved. */
  onMoved = () => {};
  /** Called when the field loses the focus. */
  onLeft = () => {};

  #mirror;
  #ghost = "";
  #isComposing = false;
  #isOwnChange = false;
  #lastCaret = 0;
  #addedSpace = -1;

  constructor(box) {
    this.field = box.querySelector("textarea");
    this.#mirror = box.querySelector(".mirror");
    this.#listen();
    this.#draw();
  }

  get before() {
    return this.field.value.slice(0, this.field.selectionEnd);
  }

  get after() {
    return this.field.value.slice(this.field.selectionEnd);
  }

  /** Whether suggestions make no sense: text is selected, inside a word, or being composed. */
  get isBusy() {
    const isSelected = this.field.selectionStart !== this.field.selectionEnd;
    const isComposing = this.#isComposing && UNSPACED_LANGUAGE.test(this.field.lang);
    return isSelected || isComposing || /^[\p{L}\p{M}\p{N}]/u.test(this.after);
  }

  set language(tag) {
    this.field.lang = tag;
    this.#mirror.lang = tag;
  }

  get ghost() {
    return this.#ghost;
  }

  /** Show grey text behind the caret, if it is at the end of a line. */
  set ghost(text) {
    const isAtEnd = !this.after || this.after.startsWith("\n");
    this.#ghost = isAtEnd && !this.#isComposing ? text : "";
    this.#draw();
  }

  /** Place below the caret, in pixels from the top left corner of the field. */
  get caretPlace() {
    const mark = this.#mirror.querySelector(".caret");
    return { left: mark.offsetLeft, top: mark.offsetTop + mark.offsetHeight };
  }

  clear() {
    this.field.value = "";
    this.ghost = "";
    this.field.focus();
  }

  /** A space if the user has typed none between a closing mark and the next word, otherwise "". */
  missingSpace(prefix, text) {
    const isNext = !prefix && /^\p{L}/u.test(text) && !isUnspaced(text);
    return isNext && BEFORE_SPACE.test(this.before) ? " " : "";
  }

  /**
   * Replace the typed beginning of a word, and add the spaces that the language has.
   *
   * Return the number of keys that this saves, without the one that accepts.
   */
  accept(prefix, text) {
    const end = this.field.selectionEnd;
    const takesSpace = !isUnspaced(text) && !CLOSING.test(this.after);
    const hasSpace = takesSpace && /^[^\S\n]/u.test(this.after);
    const written = this.missingSpace(prefix, text) + text;
    this.#replace(end - prefix.length, end, takesSpace && !hasSpace ? `${written} ` : written);
    const caret = this.field.selectionEnd;
    if (hasSpace) this.field.setSelectionRange(caret + 1, caret + 1);
    this.#addedSpace = takesSpace && !hasSpace ? caret - 1 : -1;
    this.#settle();
    return Math.max(0, countCharacters(written) + Number(takesSpace) - countCharacters(prefix) - 1);
  }

  #listen() {
    const field = this.field;
    field.addEventListener("input", (event) => this.#typed(event));
    field.addEventListener("compositionstart", () => (this.#isComposing = true));
    field.addEventListener("compositionend", () => {
      this.#isComposing = false;
      this.#settle();
      this.onTyped(0);
    });
    field.addEventListener("click", () => this.#moved());
    field.addEventListener("keyup", (event) => MOVES.has(event.key) && this.#moved());
    field.addEventListener("blur", () => {
      this.ghost = "";
      this.onLeft();
    });
  }

  #typed(event) {
    if (this.#isOwnChange) return;
    const isCommit = !this.#isComposing && event.inputType.includes("Composition");
    this.#closeUp(event.data);
    this.#settle();
    this.onTyped(isCommit ? 0 : 1);
  }

  /** Remove the space that an accepted word added, if a closing mark follows it. */
  #closeUp(typed) {
    const space = this.#addedSpace;
    this.#addedSpace = -1;
    if (!typed || !CLOSING.test(typed) || space !== this.field.selectionEnd - 2) return;
    this.#replace(space, space + 2, typed);
  }

  #moved() {
    if (this.field.selectionEnd === this.#lastCaret) return;
    this.#settle();
    this.onMoved();
  }

  /** Replace a range of text so that the browser can undo it. */
  #replace(start, end, text) {
    this.#isOwnChange = true;
    this.field.focus();
    this.field.setSelectionRange(start, end);
    if (!document.execCommand("insertText", false, text)) {
      this.field.setRangeText(text, start, end, "end");
    }
    this.#isOwnChange = false;
  }

  #settle() {
    this.#lastCaret = this.field.selectionEnd;
    this.ghost = "";
  }

  #draw() {
    const caret = document.createElement("span");
    caret.className = "caret";
    caret.textContent = "\u200b"; // also lets a line break between typed and grey text
    const ghost = document.createElement("span");
    ghost.className = "ghost";
    ghost.textContent = this.#ghost;
    this.#mirror.replaceChildren(this.before, caret, ghost, this.after);
  }
}
