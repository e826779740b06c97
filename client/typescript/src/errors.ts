import type { Decision } from "./decision.js";

const KIND = Symbol.for("@gatehouse/client/error");

/**
 * Everything that this package throws of its own accord. No message holds a token or a secret.
 * `instanceof` also knows those of another copy of this module: bundlers make several.
 */
export class GatehouseError extends Error {
  override readonly name: string = "GatehouseError";
  /** What a web layer answers with. */
  readonly httpStatus: number = 503;
  /** The gRPC status by its name, of the answer or as the service would have answered. */
  readonly status: string = "UNKNOWN";
  /** @internal */
  static readonly kind: string = "GatehouseError";

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
    if (typeof value !== "object" || value === null || !Object.hasOwn(this, "kind")) return false;
    const kind = (value as { [KIND]?: string })[KIND];
    return kind !== undefined && (this.kind === "GatehouseError" || this.kind === kind);
  }

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    Object.defineProperty(this, KIND, { value: new.target.kind });
  }
}

/** A setting is wrong. Thrown where the client is made. */
export class SettingError extends GatehouseError {
  override readonly name = "SettingError";
  /** @internal */
  static override readonly kind = "SettingError";

  constructor(
    /** As the constructor calls it. */
    readonly setting: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * The call itself is wrong, by the client's judgement or the server's (INVALID_ARGUMENT): asking
 * again gives the same. Nothing was decided, and nothing was written.
 */
export class InvalidArgument extends GatehouseError {
  override readonly name = "InvalidArgument";
  override readonly status = "INVALID_ARGUMENT";
  /** @internal */
  static override readonly kind = "InvalidArgument";
}

/** No decision could be had. Never an allow, and never "signed out": web layers answer 503. */
export class Unavailable extends GatehouseError {
  override readonly name = "Unavailable";
  /** @internal */
  static override readonly kind = "Unavailable";

  constructor(
    message: string,
    /** UNAVAILABLE, DEADLINE_EXCEEDED, UNAUTHENTICATED, ... */
    override readonly status: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** There is no revocation of this id, or it has ended. */
export class NotFound extends GatehouseError {
  override readonly name = "NotFound";
  override readonly status = "NOT_FOUND";
  /** @internal */
  static override readonly kind = "NotFound";
}

/** The answer was no. Thrown by those who ask for an allow, such as `require`. */
export class Denied extends GatehouseError {
  override readonly name = "Denied";
  override readonly httpStatus: number;
  override readonly status = "OK";
  /** @internal */
  static override readonly kind = "Denied";

  constructor(readonly decision: Decision) {
    super(decision.detail || decision.code);
    this.httpStatus = decision.status;
  }
}
