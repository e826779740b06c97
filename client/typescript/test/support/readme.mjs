// The README's files: each block of code whose first line is a comment with a path.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export function readmeFiles() {
  const text = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const files = new Map();
  for (const [, body] of text.matchAll(/^```(?:js|ts|tsx)\n(.*?)^```$/gms)) {
    const path = /^\/\/ (\S+)\n/.exec(body)?.[1];
    if (path === undefined) throw new Error(`a block of the README names no file:\n${body}`);
    files.set(path, body);
  }
  return files;
}

export function writeReadmeFiles(folder) {
  for (const [path, body] of readmeFiles()) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, body);
  }
}
