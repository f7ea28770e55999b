/** A typing session that keeps its text, and continues on another replica when it must. */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type Client,
  type ClientDuplexStream,
  type Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import {
  PositionUnit,
  type SessionConfigurationSchema,
  type StreamPredictRequest,
  StreamPredictRequestSchema,
  type StreamPredictResponse,
  StreamPredictResponseSchema,
  type TextEdit,
} from "../generated/wordgate/v1/prediction_pb";

type Configuration = MessageInitShape<typeof SessionConfigurationSchema>;
type Event = MessageInitShape<typeof StreamPredictRequestSchema>["event"];

/** Called with the answer to the newest edit; when a session is reopened; and at its end. */
export interface Listener {
  answered(response: StreamPredictResponse): void;
  reopening(reason: string): void;
  ended(error?: ServiceError): void;
}

const METHOD = "/wordgate.v1.PredictionService/StreamPredict";
const MAX_ATTEMPTS = 10;
const MIN_BACKOFF_MILLISECONDS = 50;
const MAX_BACKOFF_MILLISECONDS = 1_000;

export class TypingSession {
  readonly #client: Client;
  readonly #metadata: Metadata;
  readonly #configuration: Configuration;
  readonly #listener: Listener;
  #stream: ClientDuplexStream<StreamPredictRequest, StreamPredictResponse> | undefined;
  #text = "";
  #cursor = 0;
  #sequence = 0n;
  #attempts = 0;
  #isClosed = false;

  constructor(
    client: Client,
    metadata: Metadata,
    configuration: Configuration,
    listener: Listener,
  ) {
    this.#client = client;
    this.#metadata = metadata;
    // Positions in JavaScript strings count UTF-16 code units.
    this.#configuration = { ...configuration, positionUnit: PositionUnit.UTF16_CODE_UNITS };
    this.#listener = listener;
    this.#open();
  }

  get text(): string {
    return this.#text;
  }

  get cursor(): number {
    return this.#cursor;
  }

  /** Replace the text from `start` to `end`, and move the cursor behind the new text. */
  replace(start: number, end: number, text: string): void {
    this.#text = this.#text.slice(0, start) + text + this.#text.slice(end);
    this.#cursor = start + text.length;
    this.#send({ case: "replace", value: { start, end, text } });
  }

  /** Insert text at the cursor. */
  insert(text: string): void {
    this.replace(this.#cursor, this.#cursor, text);
  }

  /** Accept a suggestion: make its edit, as the event `accept` would. */
  accept({ start, end, text }: TextEdit): void {
    this.replace(start, end, text);
  }

  /** Close the session after the answer to the last edit. */
  close(): void {
    this.#isClosed = true;
    this.#stream?.end();
  }

  #open(): void {
    const stream = this.#client.makeBidiStreamRequest<StreamPredictRequest, StreamPredictResponse>(
      METHOD,
      (request) => Buffer.from(toBinary(StreamPredictRequestSchema, request)),
      (bytes) => fromBinary(StreamPredictResponseSchema, bytes),
      this.#metadata,
    );
    stream.on("data", (response: StreamPredictResponse) => this.#received(response));
    stream.on("error", (error: ServiceError) => this.#failed(error));
    stream.on("status", ({ code }) => {
      if (code === status.OK) this.#listener.ended();
    });
    this.#stream = stream;
    this.#write({ case: "configuration", value: this.#configuration });
    if (this.#text) {
      this.#send({ case: "text", value: { text: this.#text, cursor: this.#cursor } });
    }
    if (this.#isClosed) stream.end();
  }

  /** Send an event with the next sequence number. While no stream is open, the text is kept. */
  #send(event: Event): void {
    this.#sequence++;
    this.#write(event);
  }

  #write(event: Event): void {
    this.#stream?.write(create(StreamPredictRequestSchema, { sequence: this.#sequence, event }));
  }

  #received(response: StreamPredictResponse): void {
    this.#attempts = 0;
    if (response.sequence === this.#sequence) this.#listener.answered(response);
  }

  #failed(error: ServiceError): void {
    this.#stream = undefined;
    if (!isReopenable(error) || ++this.#attempts > MAX_ATTEMPTS) {
      this.#listener.ended(error);
      return;
    }
    this.#listener.reopening(error.details);
    setTimeout(() => this.#open(), backoffMilliseconds(this.#attempts));
  }
}

/** Whether another replica can continue the session: this one stopped, or the connection broke. */
function isReopenable({ code, details }: ServiceError): boolean {
  const isReset = code === status.INTERNAL && details.includes("RST_STREAM");
  return code === status.UNAVAILABLE || code === status.CANCELLED || isReset;
}

/** Return an exponential backoff with jitter, so that clients do not reconnect all at once. */
function backoffMilliseconds(attempts: number): number {
  const backoff = Math.min(MIN_BACKOFF_MILLISECONDS * 2 ** attempts, MAX_BACKOFF_MILLISECONDS);
  return backoff * (0.5 + Math.random() / 2);
}
