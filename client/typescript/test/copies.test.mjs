// A bundler makes several copies of a module in one process, and a reload one more.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Denied, GatehouseError, SettingError, Unavailable } from "../dist/index.js";
import { gatehouse } from "../dist/next/index.js";

test("copies of the Next helpers have one client for the same settings", async () => {
  const other = await import("../dist/next/index.js?copy");
  assert.notEqual(other.gatehouse, gatehouse);
  const client = { target: "localhost:1", deadlineMs: 100 };
  const first = gatehouse({ client });
  const second = other.gatehouse({ cookie: "token", client: { deadlineMs: 100, target: "localhost:1" } });
  assert.equal(first.client, second.client);
  const third = gatehouse({ client: { ...client, deadlineMs: 200 } });
  assert.notEqual(first.client, third.client);
  first.client.close();
  third.client.close();
});

test("an error of one copy is known to another", async () => {
  const other = await import("../dist/errors.js?copy");
  const error = new other.Unavailable("words", "UNAVAILABLE");
  assert.ok(error instanceof Unavailable && error instanceof GatehouseError && error instanceof Error);
  assert.ok(!(error instanceof Denied) && !(error instanceof SettingError));
  assert.ok(new other.GatehouseError("words") instanceof GatehouseError);
  assert.ok(!(new other.GatehouseError("words") instanceof Unavailable));
  class Own extends Unavailable {}
  assert.ok(!(error instanceof Own) && new Own("words", "X") instanceof Unavailable);
  assert.ok(!(new Error("words") instanceof GatehouseError) && !(null instanceof GatehouseError));
});
