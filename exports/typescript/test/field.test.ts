/** The `outcome` field of docs/wire.md, read by the real `openai` package without this one. */

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

import { CATALOG_VERSION } from "../src/index.js";

const FIELD = { type: "rate_limit_error", class: "RateLimitError", retryable: true, action: "resubmit_later" };
const outcome = { ...FIELD, retry_after_ms: 500, catalog: CATALOG_VERSION };
const body = { id: "resp_1", object: "response", status: "failed", output: [] };

const BODIES = [
  ["error", { ...body, error: { code: "rate_limit_exceeded", message: "Slow down.", outcome } }],
  ["incomplete_details", { ...body, status: "incomplete", incomplete_details: { reason: "content_filter", outcome } }],
  ["", { ...body, status: "cancelled", error: null, outcome }],
] as const;

function clientOf(text: string, type: string): OpenAI {
  const fetch = async () => new Response(text, { headers: { "content-type": type } });
  return new OpenAI({ apiKey: "any", maxRetries: 0, fetch });
}

for (const [place, sent] of BODIES) {
  test(`a body with the field ${place ? `in ${place}` : "on top"} is read whole`, async () => {
    const response = await clientOf(JSON.stringify(sent), "application/json").responses.retrieve("resp_1");
    const { output_text, ...read } = response;
    assert.equal(output_text, "");
    assert.deepEqual(read, sent);
  });

  test(`an event with the field ${place ? `in ${place}` : "on top"} is read whole`, async () => {
    const last = { type: "response.failed", sequence_number: 1, response: sent };
    const client = clientOf(`event: response.failed\ndata: ${JSON.stringify(last)}\n\n`, "text/event-stream");
    const events = [];
    for await (const event of await client.responses.retrieve("resp_1", { stream: true })) events.push(event);
    assert.deepEqual(events, [last]);
  });
}
