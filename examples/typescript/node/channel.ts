/** A gRPC channel with the settings of docs/clients.md. */

import { readFileSync } from "node:fs";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import serviceConfig from "../../../service/wordgate/client/service_config.json";

/** Return a client of an address, without TLS, or with TLS if a CA file (PEM) is given. */
export function connect(address: string, ca?: string): Client {
  const secured = ca ? credentials.createSsl(readFileSync(ca)) : credentials.createInsecure();
  return new Client(address, secured, {
    "grpc.service_config": JSON.stringify(serviceConfig),
    "grpc.max_receive_message_length": -1,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 5_000,
  });
}

/** Return the metadata of each call: the API token, if there is one. */
export function authorization(token?: string): Metadata {
  const metadata = new Metadata();
  if (token) metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}
