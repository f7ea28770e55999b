/**
 * Type a text under Node and print suggestions: node dist/try.js URL TEXT.
 *
 * A key is pressed every 30 ms, so most keys supersede the one before. The API token, if any, is
 * read from WORDGATE_TOKEN.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { Autocomplete } from "./autocomplete";
import { createPredictionClient } from "./client";

const KEY_MILLISECONDS = 30;

const [url = "http://127.0.0.1:8080", text = "see you tom"] = process.argv.slice(2);
const client = createPredictionClient(url, process.env.WORDGATE_TOKEN);
const autocomplete = new Autocomplete(client, {
  show(typed, { suggestions }) {
    console.log(`${typed}| ${suggestions.map((suggestion) => suggestion.text).join(", ")}`);
  },
  fail(error) {
    console.error(error.message);
    process.exitCode = 1;
  },
});
for (let end = 1; end <= text.length; end++) {
  autocomplete.update(text.slice(0, end));
  await sleep(KEY_MILLISECONDS);
}
