// What is generated is as the messages are, and what is packed is what a user needs.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const PACKAGE = fileURLToPath(new URL("../", import.meta.url));
const filesOf = (folder) => readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".ts")).sort();

test("src/wire is what the messages of proto/ make: npm run generate", () => {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-wire-"));
  try {
    execFileSync(join(PACKAGE, "test", "generate"), [folder]);
    const wire = join(PACKAGE, "src", "wire");
    assert.deepEqual(filesOf(wire), filesOf(folder));
    for (const name of filesOf(folder)) {
      assert.equal(readFileSync(join(wire, name), "utf8"), readFileSync(join(folder, name), "utf8"), name);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the package holds what its exports name, and no more than it needs", () => {
  const [{ files }] = JSON.parse(execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: PACKAGE, encoding: "utf8" }));
  const names = files.map(({ path }) => path);
  const { exports } = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));
  for (const target of Object.values(exports)) {
    for (const path of Object.values(typeof target === "string" ? { target } : target)) {
      assert.ok(names.includes(path.slice(2)), path);
    }
  }
  assert.ok(names.includes("LICENSE"));
  assert.equal(readFileSync(join(PACKAGE, "LICENSE"), "utf8"), readFileSync(join(PACKAGE, "../../LICENSE"), "utf8"));
  assert.ok(names.every((name) => name.startsWith("dist/") || ["README.md", "package.json", "LICENSE"].includes(name)), names.join(" "));
});

test("what is for tests alone stands in no typing", () => {
  const dist = join(PACKAGE, "dist");
  for (const name of readdirSync(dist, { recursive: true }).filter((one) => one.endsWith(".d.ts"))) {
    assert.doesNotMatch(readFileSync(join(dist, name), "utf8"), /@internal/, name);
  }
  assert.doesNotMatch(readFileSync(join(dist, "gatehouse.d.ts"), "utf8"), /Parts|Transport/);
});

test("no lock file names a registry", () => {
  for (const folder of ["", "test/next-app/"]) {
    const lock = JSON.parse(readFileSync(join(PACKAGE, folder, "package-lock.json"), "utf8"));
    for (const [name, { resolved }] of Object.entries(lock.packages)) assert.equal(resolved, undefined, name);
  }
});
