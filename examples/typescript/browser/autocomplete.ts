/** Suggestions for the newest text of a field: debounced, at most one request at a time. */

import { ConnectError } from "@connectrpc/connect";
import type { PredictResponse } from "../generated/wordgate/v1/prediction_pb";
import type { PredictionClient } from "./client";

/** Called with the suggestions for a text, or with the error instead of them. */
export interface Listener {
  show(text: string, response: PredictResponse): void;
  fail(error: ConnectError): void;
}

export class Autocomplete {
  readonly #client: PredictionClient;
  readonly #listener: Listener;
  readonly #delayMilliseconds: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #request = new AbortController();

  constructor(client: PredictionClient, listener: Listener, delayMilliseconds = 40) {
    this.#client = client;
    this.#listener = listener;
    this.#delayMilliseconds = delayMilliseconds;
  }

  /** Ask for suggestions after a pause in typing. `text` ends at the cursor. */
  update(text: string): void {
    this.cancel();
    const { signal } = (this.#request = new AbortController());
    this.#timer = setTimeout(() => void this.#predict(text, signal), this.#delayMilliseconds);
  }

  /** Abort the request in progress. Its suggestions are never shown. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#request.abort();
  }

  async #predict(text: string, signal: AbortSignal): Promise<void> {
    const request = { ...splitText(text), options: { maxSuggestions: 3 } };
    try {
      const response = await this.#client.predict(request, { signal });
      if (!signal.aborted) this.#listener.show(text, response);
    } catch (error) {
      if (!signal.aborted) this.#listener.fail(ConnectError.from(error));
    }
  }
}

/**
 * Split the text before the cursor at its last white space.
 *
 * The prefix has at most 128 characters, and so fewer than the 1,024 bytes that a server accepts.
 */
export function splitText(text: string): { history: string; prefix: string } {
  const start = text.search(/\S{0,128}$/u);
  return { history: text.slice(0, start), prefix: text.slice(start) };
}
