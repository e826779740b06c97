import { statSync } from "node:fs";

import * as grpc from "@grpc/grpc-js";

import { type CheckedSettings, readSettingFile, readToken } from "./settings.js";
import { CallError, type Method, type Request, type Response, type Stream, type Transport } from "./transport.js";
import { AuthorizationServiceService as service } from "./wire/gatehouse/v1/authorization_service.js";
import type { WatchRequest, WatchResponse } from "./wire/gatehouse/v1/authorization_service.js";

// Between looks at whether a file has changed.
const LOOK_MS = 1000;
// The longest that a call which is under way may still need of a connection that was replaced.
const LINGER_MS = 60_000;

const OPTIONS: grpc.ChannelOptions = {
  // A new channel is a new connection.
  "grpc.use_local_subchannel_pool": 1,
  // Once a second at least, so that a server that is back is found; for the third time after 0.32
  // to 0.41 s, in time for the last try of a call that a restart of 0.3 s has met.
  "grpc.initial_reconnect_backoff_ms": 140,
  "grpc.max_reconnect_backoff_ms": 1000,
  // A tag takes 30 bytes; thousands may come at once.
  "grpc.max_receive_message_length": 16 * 2 ** 20,
  "grpc.service_config_disable_resolution": 1,
};

function callError(error: grpc.ServiceError): CallError {
  return new CallError(grpc.status[error.code] ?? String(error.code), error.details ?? "");
}

/** Looks at most once a second whether files were written anew. */
class Files {
  #looked = -Infinity;
  #seen: string;

  constructor(private readonly paths: string[]) {
    this.#seen = this.#look();
  }

  changed(atOnce = false): boolean {
    if (this.paths.length === 0) return false;
    if (!atOnce && performance.now() - this.#looked < LOOK_MS) return false;
    this.#looked = performance.now();
    const now = this.#look();
    if (now === this.#seen) return false;
    this.#seen = now;
    return true;
  }

  #look(): string {
    return this.paths
      .map((path) => {
        try {
          const { ino, size, mtimeMs, ctimeMs } = statSync(path);
          return `${ino},${size},${mtimeMs},${ctimeMs}`;
        } catch {
          return "";
        }
      })
      .join(";");
  }
}

/** The connection to the service, over gRPC. */
export class GrpcTransport implements Transport {
  readonly #settings: CheckedSettings;
  readonly #tokenFile: Files;
  readonly #tlsFiles: Files;
  readonly #linger = new Set<() => void>();
  #token: string | undefined;
  #client: grpc.Client;

  constructor(settings: CheckedSettings) {
    this.#settings = settings;
    const { tokenFile, caFile, certFile, keyFile } = settings;
    this.#tokenFile = new Files(tokenFile === undefined ? [] : [tokenFile]);
    this.#tlsFiles = new Files([caFile, certFile, keyFile].filter((path) => path !== undefined));
    this.#token = tokenFile === undefined ? undefined : readToken(tokenFile);
    this.#client = this.#connect();
  }

  #connect(): grpc.Client {
    return new grpc.Client(this.#settings.target, this.#credentials(), OPTIONS);
  }

  #credentials(): grpc.ChannelCredentials {
    const { caFile, certFile, keyFile } = this.#settings;
    if (caFile === undefined) return grpc.credentials.createInsecure();
    const ca = readSettingFile("caFile", caFile);
    if (certFile === undefined || keyFile === undefined) return grpc.credentials.createSsl(ca);
    const key = readSettingFile("keyFile", keyFile);
    return grpc.credentials.createSsl(ca, key, readSettingFile("certFile", certFile));
  }

  #metadata(): grpc.Metadata {
    const metadata = new grpc.Metadata();
    const { tokenFile, onWarning } = this.#settings;
    if (tokenFile !== undefined && this.#tokenFile.changed()) {
      try {
        this.#token = readToken(tokenFile);
      } catch (error) {
        onWarning(`${(error as Error).message} The token of before goes on being used.`);
      }
    }
    if (this.#token !== undefined) metadata.set("authorization", `Bearer ${this.#token}`);
    return metadata;
  }

  call<M extends Method>(method: M, request: Request<M>, ms: number, signal?: AbortSignal): Promise<Response<M>> {
    const definition = service[method] as unknown as grpc.MethodDefinition<Request<M>, Response<M>>;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const call = this.#client.makeUnaryRequest(
        definition.path,
        definition.requestSerialize,
        definition.responseDeserialize,
        request,
        this.#metadata(),
        { deadline: Date.now() + ms },
        (error, response) => {
          signal?.removeEventListener("abort", cancel);
          if (signal?.aborted) reject(signal.reason);
          else if (error !== null) reject(callError(error));
          else resolve(response as Response<M>);
        },
      );
      const cancel = () => call.cancel();
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  watch(message: (response: WatchResponse) => void, ended: (error: CallError) => void): Stream {
    // A connection that lives on does so with what it began with.
    if (this.#tlsFiles.changed(true)) this.renew();
    const { path, requestSerialize, responseDeserialize } = service.watch;
    const call = this.#client.makeBidiStreamRequest<WatchRequest, WatchResponse>(
      path,
      requestSerialize,
      responseDeserialize,
      this.#metadata(),
    );
    let open = true;
    const end = (error: CallError) => {
      if (!open) return;
      open = false;
      ended(error);
    };
    call.on("data", (response: WatchResponse) => {
      if (open) message(response);
    });
    call.on("error", (error: grpc.ServiceError) => end(callError(error)));
    call.on("end", () => end(new CallError("UNAVAILABLE", "the server ended the stream")));
    return {
      send: (request) => void call.write(request),
      cancel: () => {
        open = false;
        call.cancel();
      },
    };
  }

  renew(): void {
    let next: grpc.Client;
    try {
      next = this.#connect();
    } catch (error) {
      return this.#settings.onWarning(`${(error as Error).message} The connection of before goes on being used.`);
    }
    const old = this.#client;
    this.#client = next;
    // What is under way on it may still be answered.
    const close = () => {
      clearTimeout(timer);
      this.#linger.delete(close);
      old.close();
    };
    const timer = setTimeout(close, LINGER_MS).unref();
    this.#linger.add(close);
  }

  close(): void {
    for (const close of [...this.#linger]) close();
    this.#client.close();
  }
}
