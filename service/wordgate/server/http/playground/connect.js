// Calls of the server by the Connect protocol: a POST with JSON in and JSON out. Text goes nowhere else.

const TIMEOUT_MILLISECONDS = 15_000;

let token = "";
let asking = null;
let askUser = async () => "";

/** An error to show to the user. `code` is Connect's, `message` is in words. */
export class ServerError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Set the function that asks the user for an API token. It resolves to "" if the user cancels. */
export function onTokenNeeded(ask) {
  askUser = ask;
}

/** Call a method, for example `PredictionService/Predict`. Throws ServerError, or AbortError. */
export function call(method, request, signal) {
  return send(`wordgate.v1.${method}`, signal, {
    method: "POST",
    headers: { "content-type": "application/json", "connect-protocol-version": "1" },
    body: JSON.stringify(request),
  });
}

/** Read a JSON document of the server. */
export function read(path, signal) {
  return send(path, signal, {});
}

async function send(path, signal, request, isRepeated = false) {
  const sent = token;
  const headers = { ...request.headers, ...(sent && { authorization: `Bearer ${sent}` }) };
  const response = await fetchWithin(path, { ...request, headers }, signal);
  if (response.ok) return response.json();
  const error = await errorOf(response);
  if (error.code !== "unauthenticated" || isRepeated) throw error;
  await askOnce(sent);
  if (!token) throw error;
  return send(path, signal, request, token === sent);
}

async function fetchWithin(path, request, signal) {
  const tooLate = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
  try {
    const either = signal ? AbortSignal.any([signal, tooLate]) : tooLate;
    return await fetch(path, { ...request, signal: either, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (tooLate.aborted) {
      throw new ServerError("deadline_exceeded", "The server did not answer within 15 seconds.");
    }
    const problem = `No answer from ${location.host}. Check that the server is running.`;
    throw new ServerError("unavailable", problem);
  }
}

async function errorOf(response) {
  const body = await response.json().catch(() => ({}));
  if (!body.code) {
    const code = response.status === 401 ? "unauthenticated" : "unknown";
    return new ServerError(code, `The server answered with HTTP status ${response.status}.`);
  }
  return new ServerError(body.code, `The server answered: ${body.message || body.code}`);
}

/** Ask for a token, once for all calls that wait for one. */
async function askOnce(refused) {
  if (token !== refused) return;
  asking ??= askUser(Boolean(refused)).finally(() => (asking = null));
  token = await asking;
}
