/** What the rest of the package asks of a connection; tests bring their own. */
import type {
  AuthorizeRequest,
  AuthorizeResponse,
  BatchAuthorizeRequest,
  BatchAuthorizeResponse,
  FilterRequest,
  FilterResponse,
  ReinstateRequest,
  ReinstateResponse,
  RevokeRequest,
  RevokeResponse,
  VerifyRequest,
  VerifyResponse,
  WatchRequest,
  WatchResponse,
} from "./wire/gatehouse/v1/authorization_service.js";

/** The unary methods by name. */
export interface Methods {
  verify: [VerifyRequest, VerifyResponse];
  authorize: [AuthorizeRequest, AuthorizeResponse];
  batchAuthorize: [BatchAuthorizeRequest, BatchAuthorizeResponse];
  filter: [FilterRequest, FilterResponse];
  revoke: [RevokeRequest, RevokeResponse];
  reinstate: [ReinstateRequest, ReinstateResponse];
}
export type Method = keyof Methods;
export type Request<M extends Method> = Methods[M][0];
export type Response<M extends Method> = Methods[M][1];

/** How a call or a stream ended, but for OK. */
export class CallError extends Error {
  constructor(
    /** The gRPC status by its name. */
    readonly status: string,
    readonly details: string,
  ) {
    super(details);
  }
}

export interface Stream {
  send(request: WatchRequest): void;
  cancel(): void;
}

export interface Transport {
  /** Rejects with CallError, or with the signal's reason. */
  call<M extends Method>(method: M, request: Request<M>, ms: number, signal?: AbortSignal): Promise<Response<M>>;
  /** `ended` is called once, unless the stream is cancelled before. */
  watch(message: (response: WatchResponse) => void, ended: (error: CallError) => void): Stream;
  /** The connection is no good: the next call uses another one. */
  renew(): void;
  close(): void;
}
