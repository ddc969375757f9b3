/** What `npm pack` and `npm install` take: every address in `package.json` leads to a built file. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("../../", import.meta.url);
const PACKAGE = JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8"));

test("main, types and exports are built files", () => {
  const { default: main, types } = PACKAGE.exports["."];
  assert.deepEqual([PACKAGE.main, PACKAGE.types], [main, types]); // node10 resolution does not read `exports`
  for (const path of [main, types]) {
    assert.ok(existsSync(new URL(path, ROOT)), path);
    assert.ok(PACKAGE.files.some((folder: string) => path.startsWith(`./${folder}/`)), path);
  }
});

test("the package is built by whoever packs or installs it", () => {
  assert.match(PACKAGE.scripts.prepare, /^tsc /);
});
