/** A client of the HTTP port (`wordgate serve --http-listen`), for browsers and Node's fetch. */

import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { PredictionService } from "../generated/wordgate/v1/prediction_pb";

export type PredictionClient = Client<typeof PredictionService>;

/** Return a client whose requests have a deadline of two seconds and, if given, a bearer token. */
export function createPredictionClient(baseUrl: string, token?: string): PredictionClient {
  const authorize: Interceptor = (next) => (request) => {
    if (token) request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const transport = createConnectTransport({
    baseUrl,
    useBinaryFormat: true,
    defaultTimeoutMs: 2_000,
    interceptors: [authorize],
  });
  return createClient(PredictionService, transport);
}
