// The names that this client has in common with those of the other languages: tests/clients/cases.json.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as gatehouse from "../dist/index.js";
import { remembering, settled } from "./support/fakes.mjs";
import { CASES } from "./support/stand.mjs";

const { names } = CASES;
const declared = (file) => readFileSync(new URL(`../dist/${file}.d.ts`, import.meta.url), "utf8");
/** What the table calls it in TypeScript. */
const typescript = (group) => sorted(names[group].map((row) => row.at(-1)));
const sorted = (all) => [...new Set(all)].filter((name) => name !== "").sort();

test("the package exports what the table names", () => {
  const exported = [...declared("index").matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, list]) =>
    list.split(",").map((name) => name.replace("type ", "").trim()),
  );
  // Two are functions here: of a filter, and of the settings.
  assert.deepEqual(sorted(exported), sorted([...typescript("types"), ...typescript("errors"), "selects", "settingsFromEnv"]));
  for (const name of typescript("errors")) assert.ok(gatehouse[name].prototype instanceof Error, name);
});

test("the client has the calls that the table names", () => {
  const { prototype } = gatehouse.Gatehouse;
  const calls = Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor");
  const statics = Object.getOwnPropertyNames(gatehouse.Gatehouse).filter((name) => typeof gatehouse.Gatehouse[name] === "function");
  assert.deepEqual(sorted([...calls, ...statics]), typescript("calls"));
});

test("the arguments come in the order of the table", async () => {
  const { client, transport } = await remembering();
  const given = {
    token: "t", resource: "note/1", action: "read", owner: "ada", tenant: "acme",
    relations: { editor: ["bob"] }, attributes: { status: "open" }, type: "note",
  };
  const byName = Object.fromEntries(names.arguments);
  const [token, resource, action, ...facts] = byName.authorize;
  const asked = client.authorize(given[token], given[resource], given[action], Object.fromEntries(facts.map((name) => [name, given[name]])));
  await settled();
  const { relations, ...request } = transport.last.request;
  for (const name of ["token", "resource", "action", "owner", "tenant", "attributes"]) assert.deepEqual(request[name], given[name], name);
  assert.deepEqual(relations, { editor: { subjects: ["bob"] } });
  await transport.last.answer({});
  await asked;
  assert.equal(client.remembered(...byName.authorize.slice(0, 3).map((name) => given[name]), given)?.allowed, true);
  const filtered = client.filter(...byName.filter.map((name) => given[name]));
  await settled();
  assert.equal(transport.last.request.resourceType, "note");
  assert.equal(transport.last.request.action, "read");
  await transport.last.answer({});
  await filtered;
});

test("settings and figures are called as in the table", async () => {
  const [, body] = /export interface Settings \{(.*?)\n\}/s.exec(declared("settings"));
  assert.deepEqual(sorted([...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, name]) => name)), typescript("settings"));
  const { client } = await remembering();
  assert.deepEqual(sorted(Object.keys(client.figures())), typescript("figures"));
});
