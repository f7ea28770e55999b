/**
 * Type line by line with suggestions: node dist/type.js [HOST:PORT [CA.pem]].
 *
 * A line is inserted at the cursor; an empty line accepts the first suggestion. Ctrl-D ends. The
 * API token, if any, is read from WORDGATE_TOKEN.
 */

import { createInterface } from "node:readline";
import type { Suggestion } from "../generated/wordgate/v1/prediction_pb";
import { authorization, connect } from "./channel";
import { TypingSession } from "./session";

const [address = "127.0.0.1:50051", ca] = process.argv.slice(2);
const client = connect(address, ca);
const metadata = authorization(process.env.WORDGATE_TOKEN);
let suggestions: Suggestion[] = [];

const session = new TypingSession(client, metadata, { options: { maxSuggestions: 3 } }, {
  answered(response) {
    suggestions = response.suggestions;
    const words = suggestions.map((suggestion) => suggestion.text).join(", ");
    console.log(`${session.text.slice(0, session.cursor)}| ${words}`);
  },
  reopening(reason) {
    console.error(`reopening the session: ${reason}`);
  },
  ended(error) {
    if (error) {
      console.error(error.details);
      process.exitCode = 1;
    }
    lines.close();
    client.close();
  },
});

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const edit = suggestions[0]?.edit;
  if (line) session.insert(line);
  else if (edit) session.accept(edit);
  suggestions = [];
});
lines.on("close", () => session.close());
