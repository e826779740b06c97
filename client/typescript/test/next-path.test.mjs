// Which paths the proxy of Next takes for public ones: none that another program may read as another one.
import assert from "node:assert/strict";
import { test } from "node:test";

import { isUnclear } from "../dist/next/path.js";

const controls = Array.from({ length: 33 }, (_, byte) => (byte === 32 ? 127 : byte));
const escaped = controls.map((byte) => `/a%${byte.toString(16).padStart(2, "0")}b`);

for (const path of [
  ...escaped, ...escaped.map((path) => path.toUpperCase()),
  "/a;b", "/docs;/admin", "/a%3bb", "/a%3Bb", "/a%23b", "/a%3fb", "/a%3Fb", "/a%2fb", "/a%5Cb", "/a%252eb", "/a%2eb",
  "/a%", "/a%2", "/a%zz", "/a%u0041", "/a%ff", "/a%c3", "/a%ed%a0%80", "/a%c0%af", "/a%c2%85", "//a", "/a//b",
  "/a./b", "/a.", "/a%20/b", "/a%20", "/a /b", `/${"a".repeat(8192)}`, `/a?${"b".repeat(8190)}`, "/a".repeat(65),
]) {
  test(`${path.length > 40 ? `${path.slice(0, 20)}... (${path.length})` : path} is no public path`, () => {
    assert.equal(isUnclear(new URL(`http://app.test${path}`)), true);
  });
}

test("text of every language is", () => {
  for (const path of [
    "/", "/docs", "/docs/", "/docs/a%20b", "/docs/\u00fc/c", "/docs/%C3%BC", "/.well-known/x", "/a.b", "/a+b,c=d&e:f@g!$'()*~",
    `/${"a".repeat(8191)}`, "/a".repeat(64), "/a?b=%00;..%2f",
  ]) {
    assert.equal(isUnclear(new URL(`http://app.test${path}`)), false, path.slice(0, 40));
  }
});
