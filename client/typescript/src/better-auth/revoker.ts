import { Calls } from "../calls.js";
import { systemClock } from "../clock.js";
import { newCounters } from "../counters.js";
import { GrpcTransport } from "../grpc.js";
import { revokeRequestOf, type Target } from "../revocation.js";
import { checkSettings, type Settings } from "../settings.js";

/** What the plugin needs of a client: `Gatehouse` is one. */
export interface Revoker {
  revoke(target: Target, options?: { reason?: string; signal?: AbortSignal }): Promise<unknown>;
}

/** A client that only revokes. It remembers nothing, so it keeps no stream and needs no right but "revoke". */
export function revokerOf(settings: Settings): Revoker {
  const checked = checkSettings(settings);
  const calls = new Calls(new GrpcTransport(checked), systemClock, newCounters(), checked.target);
  return {
    revoke: async (target, { reason, signal } = {}) =>
      calls.call("revoke", revokeRequestOf(target, reason), checked.deadlineMs, signal),
  };
}
