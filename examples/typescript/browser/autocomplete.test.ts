/** Tests of debouncing and aborting, against a server in memory. */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { PredictionService } from "../generated/wordgate/v1/prediction_pb";
import { Autocomplete, splitText } from "./autocomplete";

interface Call {
  prefix: string;
  signal: AbortSignal;
  answer(word: string): void;
  refuse(error: ConnectError): void;
}

const DELAY = 40;
const calls: Call[] = [];
const shown: string[] = [];

const client = createClient(
  PredictionService,
  createRouterTransport(({ rpc }) => {
    rpc(PredictionService.method.predict, ({ prefix }, { signal }) => {
      return new Promise((resolve, refuse) => {
        const answer = (text: string) => resolve({ suggestions: [{ text }] });
        calls.push({ prefix, signal, answer, refuse });
      });
    });
  }),
);
const listener = {
  show: (text: string, response: { suggestions: { text: string }[] }) => {
    shown.push(`${text}: ${response.suggestions.map((each) => each.text)}`);
  },
  fail: (error: ConnectError) => void shown.push(Code[error.code]),
};

/** Let the pause in typing pass, and wait until there were this many calls. */
async function pauseUntilCalls(count: number): Promise<void> {
  mock.timers.tick(DELAY);
  await until(() => calls.length === count);
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000 && !condition(); turn++) await nextTurn();
  assert.ok(condition());
}

beforeEach(() => {
  calls.length = shown.length = 0;
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

test("keys in quick succession make one request, for the last text", async () => {
  const autocomplete = new Autocomplete(client, listener, DELAY);
  for (const text of ["t", "to", "tom"]) autocomplete.update(text);
  await pauseUntilCalls(1);
  assert.deepEqual(calls.map((call) => call.prefix), ["tom"]);
});

test("a key aborts the previous request, and only the newest answer is shown", async () => {
  const autocomplete = new Autocomplete(client, listener, DELAY);
  autocomplete.update("t");
  await pauseUntilCalls(1);
  autocomplete.update("to");
  assert.equal(calls[0]?.signal.aborted, true);
  await pauseUntilCalls(2);
  calls[0]?.answer("too late");
  calls[1]?.answer("tomorrow");
  await until(() => shown.length > 0);
  await nextTurn();
  assert.deepEqual(shown, ["to: tomorrow"]);
});

test("an error of the newest request is reported, and the next key asks again", async () => {
  const autocomplete = new Autocomplete(client, listener, DELAY);
  autocomplete.update("t");
  await pauseUntilCalls(1);
  calls[0]?.refuse(new ConnectError("overloaded", Code.ResourceExhausted));
  await until(() => shown.length === 1);
  autocomplete.update("to");
  await pauseUntilCalls(2);
  calls[1]?.answer("tomorrow");
  await until(() => shown.length === 2);
  assert.deepEqual(shown, ["ResourceExhausted", "to: tomorrow"]);
});

test("the prefix is what follows the last white space, at most 128 characters", () => {
  assert.deepEqual(splitText("see you tom"), { history: "see you ", prefix: "tom" });
  assert.deepEqual(splitText("see you\n"), { history: "see you\n", prefix: "" });
  assert.deepEqual(splitText(""), { history: "", prefix: "" });
  const long = "👋".repeat(128);
  assert.deepEqual(splitText(`👋👋${long}`), { history: "👋👋", prefix: long });
});
