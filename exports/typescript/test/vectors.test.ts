/** Every conformance vector comes out as it says. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { classify, type Outcome } from "../src/index.js";

interface Vector {
  readonly name: string;
  readonly about: string;
  readonly surface?: string;
  readonly body: unknown;
  readonly outcome: Outcome;
}

const path = new URL("../../../../conformance/vectors.json", import.meta.url);
const vectors: readonly Vector[] = JSON.parse(readFileSync(path, "utf-8"));

function check(body: unknown, { surface, outcome: expected }: Vector): void {
  const found = classify(body, surface === undefined ? {} : { surface });
  const isNear = Math.abs((found.retry_after ?? 0) - (expected.retry_after ?? 0)) <= 1e-6;
  const wait = isNear && found.retry_after !== null ? { retry_after: expected.retry_after } : {};
  assert.deepEqual({ ...found, ...wait }, expected);
}

test("there are vectors", () => assert.ok(vectors.length >= 300));

for (const vector of vectors) {
  test(`${vector.name}: ${vector.about}`, () => {
    check(vector.body, vector);
    if (typeof vector.body !== "string") check(JSON.stringify(vector.body), vector);
  });
}
