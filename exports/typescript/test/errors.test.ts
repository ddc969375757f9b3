/** The errors are real ones of the installed `openai` package. */

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";
import * as errors from "openai/error";

import { classify, ENTRIES, errorClassFor, errorFor, type Code, type Outcome } from "../src/index.js";

const failed = (error: unknown) => ({ object: "response", id: "resp_1", status: "failed", error });

const CLASSES = [
  ["invalid_prompt", OpenAI.BadRequestError, 400],
  ["invalid_api_key", OpenAI.AuthenticationError, 401],
  ["misalignment_policy_violation", OpenAI.PermissionDeniedError, 403],
  ["model_not_found", OpenAI.NotFoundError, 404],
  ["409", OpenAI.ConflictError, 409],
  ["422", OpenAI.UnprocessableEntityError, 422],
  ["rate_limit_exceeded", OpenAI.RateLimitError, 429],
  ["server_error", OpenAI.InternalServerError, 500],
  ["server_is_overloaded", OpenAI.InternalServerError, 503],
] as const;

for (const [code, cls, status] of CLASSES) {
  test(`${code} is a ${cls.name}`, () => {
    const error = errorFor(failed({ code, message: "Went wrong.", param: "input" }), OpenAI);
    assert.ok(error instanceof cls);
    assert.ok(error instanceof OpenAI.APIError);
    assert.equal(Object.getPrototypeOf(error), cls.prototype);
    assert.equal(error.status, status);
    assert.equal(error.code, code);
    assert.equal(error.param, "input");
    assert.equal(error.type, error.outcome.error_type);
    assert.equal(error.message, `${status} Went wrong.`);
    assert.equal(error.headers?.get("x-should-retry"), String(error.outcome.retryable));
  });
}

test("without the package an error has the same fields", () => {
  for (const code of ["rate_limit_exceeded", "server_error", "brand_new", 418]) {
    const body = failed({ code, message: "Went wrong.", param: "input" });
    const plain = errorFor(body, {});
    const real = errorFor(body, OpenAI);
    assert.ok(plain instanceof Error);
    assert.ok(real !== null);
    assert.equal(plain.name, "RunError");
    for (const name of ["message", "status", "code", "param", "type"] as const) assert.equal(plain[name], real[name]);
    assert.deepEqual([...(plain.headers ?? [])], [...(real.headers ?? [])]);
    assert.deepEqual(plain.outcome, real.outcome);
  }
});

test("a class that was not passed is replaced by APIError, with its status", () => {
  const error = errorFor(failed({ code: "rate_limit_exceeded", message: "m" }), { APIError: OpenAI.APIError });
  assert.equal(error?.constructor, OpenAI.APIError);
  assert.equal(error?.status, 429);
});

test("the class is the one that the package itself has for the status", () => {
  for (const status of [400, 401, 403, 404, 408, 409, 418, 422, 429, 500, 503, 599]) {
    const own = OpenAI.APIError.generate(status, { error: { message: "m" } }, undefined, new Headers());
    const ours = errorFor(failed({ code: status, message: "m" }), OpenAI);
    assert.equal(ours?.constructor, own.constructor);
    assert.equal(ours?.message, own.message);
    assert.ok(ours instanceof OpenAI.APIError);
    assert.equal(ours.status, own.status);
  }
});

test("every class of the catalog is in the package, or is known not to be", () => {
  const absent = new Set(["APIStatusError"]);
  for (const { error_class: name } of ENTRIES) {
    assert.ok(name === null || name in errors || absent.has(name), String(name));
  }
});

test("any other 4xx is an APIError with its status", () => {
  const error = errorFor(failed({ code: 418, message: "m" }), OpenAI);
  assert.ok(error instanceof OpenAI.APIError);
  assert.equal(error.constructor, OpenAI.APIError);
  assert.equal(error.status, 418);
});

test("an unknown code is a bare APIError: no status is claimed", () => {
  const error = errorFor(failed({ code: "brand_new", message: "m" }), OpenAI);
  assert.ok(error instanceof OpenAI.APIError);
  assert.equal(error.constructor, OpenAI.APIError);
  assert.equal(error.status, undefined);
  assert.equal(error.headers, undefined);
  assert.equal(error.code, "brand_new");
  assert.equal(error.message, "m");
});

for (const status of ["cancelled", "expired", "incomplete", "paused"]) {
  test(`${status} has no class: a bare APIError with the catalog's words`, () => {
    const error = errorFor({ object: "response", status }, OpenAI);
    assert.ok(error instanceof OpenAI.APIError);
    assert.equal(error.constructor, OpenAI.APIError);
    assert.equal(error.status, undefined);
    assert.match(error.message, new RegExp(`^${status}: `));
    assert.equal(error.outcome.status, status);
  });
}

test("the content filter is a class of openai/error, and bare where only the client is given", () => {
  const body = { object: "response", status: "incomplete", incomplete_details: { reason: "content_filter" } };
  const error = errorFor(body, errors);
  assert.ok(error instanceof errors.ContentFilterFinishReasonError);
  assert.equal(error.outcome.reason, "content_filter");
  assert.equal(errorFor(body, OpenAI)?.constructor, OpenAI.APIError);
});

test("quota is a RateLimitError that must not be retried", () => {
  const error = errorFor(failed({ code: "insufficient_quota", message: "m" }), OpenAI);
  assert.ok(error instanceof OpenAI.RateLimitError);
  assert.equal(error.outcome.action, "fix_account");
  assert.equal(error.headers.get("x-should-retry"), "false");
});

test("the advice is that of the outcome, and not of a row that is retryable by itself", () => {
  const run = { object: "response", id: "resp_1", status: "failed" };
  const quota = { ...run, error: { code: "rate_limit_exceeded", type: "insufficient_quota" } };
  assert.match(errorFor(quota, OpenAI)?.message ?? "", /add credit/);
  const acted = { ...run, error: { code: "server_error" }, output: [{ type: "mcp_call", name: "pay" }] };
  const message = errorFor(acted, OpenAI)?.message ?? "";
  assert.match(message, /check first/);
  assert.doesNotMatch(message, /Submit/);
});

test("a wait is in the headers", () => {
  const error = errorFor(failed({ code: "rate_limit_exceeded", message: "Please try again in 2.5s." }), OpenAI);
  assert.ok(error instanceof OpenAI.RateLimitError);
  assert.equal(error.headers.get("retry-after-ms"), "2500");
});

test("a run in an unknown state claims no class, whatever the connection says", () => {
  const error = errorFor({ type: "error", code: "server_error", message: "m" }, OpenAI);
  assert.equal(error?.constructor, OpenAI.APIError);
  assert.equal(error?.outcome.phase, "unknown");
});

test("completed and pending are no errors", () => {
  assert.equal(errorFor({ object: "response", status: "completed" }, OpenAI), null);
  assert.equal(errorFor({ object: "response", status: "queued" }, OpenAI), null);
});

test("a surface can be named", () => {
  const body = { id: "f", status: "failed", last_error: { code: "invalid_file", message: "m" } };
  assert.ok(errorFor(body, OpenAI, { surface: "vector_store.file" }) instanceof OpenAI.BadRequestError);
});

test("the class of an outcome", () => {
  const outcome: Outcome = classify(failed({ code: "server_error" }));
  assert.equal(errorClassFor(outcome, OpenAI), OpenAI.InternalServerError);
});

test("codes are literal types", () => {
  const code: Code<"batch.output_row"> = "batch_expired";
  // @ts-expect-error: this is no code that a row of a batch has
  const wrong: Code<"batch.output_row"> = "server_error";
  assert.notEqual(code, wrong);
});
