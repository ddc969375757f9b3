/** openai-node without this package: the gateway of the Python package brings it the outcome. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import OpenAI from "openai";

const PYTHON = fileURLToPath(new URL("../../../../.venv/bin/python", import.meta.url));
const LIMITED = { model: "gpt-5", input: "Hello", background: true, metadata: { emulate: "rate_limit_exceeded" } };

/** Starts a command that serves until the end of the tests; gives the base URL that its first line names. */
async function served(...words: string[]): Promise<string> {
  const child = spawn(PYTHON, ["-m", "runoutcome", ...words, "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  after(() => child.kill());
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return (JSON.parse(line) as { base_url: string }).base_url;
}

const emulator = await served("emulate", "--speed", "1000");

test("openai-node reads the outcome through the gateway", async () => {
  const client = new OpenAI({ baseURL: await served("gateway", "--upstream", emulator), apiKey: "any" });
  let run = await client.responses.create(LIMITED);
  while (run.status !== "failed") run = await client.responses.retrieve(run.id);
  const { outcome } = run.error as unknown as { outcome: Record<string, unknown> };
  assert.equal(outcome["class"], "RateLimitError");
  assert.equal(outcome["retryable"], true);
  assert.equal(outcome["action"], "resubmit_later");
});

test("with --strict openai-node raises its own class, after one poll of the failed run", async () => {
  const client = new OpenAI({ baseURL: await served("gateway", "--strict", "--upstream", emulator), apiKey: "any" });
  const { id } = await client.responses.create(LIMITED);
  const error: unknown = await wait(client, id).catch((error: unknown) => error);
  assert.ok(error instanceof OpenAI.RateLimitError);
  assert.equal(error.code, "rate_limit_exceeded");
  assert.equal(error.headers.get("x-runoutcome-response-id"), id);
  const { outcome, response_id } = error.error as { outcome: Record<string, unknown>; response_id: string };
  assert.deepEqual([outcome["retryable"], response_id], [true, id]);
});

/** A loop of somebody who knows nothing of failed runs. */
async function wait(client: OpenAI, id: string): Promise<unknown> {
  let run = await client.responses.retrieve(id);
  while (run.status === "queued" || run.status === "in_progress") run = await client.responses.retrieve(id);
  return run;
}
