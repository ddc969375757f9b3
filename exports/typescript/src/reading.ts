/** Reads a body, a stream event, a webhook or a line of a batch's output, as JSON value or text, into one plain view. */

import { ERROR_TYPES, type ErrorType } from "./catalog.js";
import { isFilled, isObject, look, numbers, word, type Json } from "./json.js";

/** `run`: a body. `row`: a line of a batch's output. `event`: an error without a run. `notice`: status and id only. */
export type Kind = "run" | "row" | "event" | "notice" | "none";

export interface Reading {
  readonly kind: Kind;
  readonly run: Json;
  readonly object: string | null;
  readonly status: string | null;
  readonly error: Json;
  readonly responseId: string | null;
}

/** The `outcome` field of a payload: a server's own word about a failure, by a version of the catalog. */
export interface Claim {
  readonly type: ErrorType;
  readonly retryable: boolean;
  readonly action: string | null;
  /** Seconds. */
  readonly retryAfter: number | null;
}

/** What an error says about itself. */
export interface Failure {
  readonly code: string | null;
  readonly message: string | null;
  readonly type: string | null;
  readonly param: string | null;
  readonly claim: Claim | null;
  /** There was no error at all. */
  readonly isNull: boolean;
  /** Code and type of the provider's own error behind this one. */
  readonly causes: readonly string[];
}

const NOTHING: Reading = { kind: "none", run: null, object: null, status: null, error: null, responseId: null };
const MAX_ENVELOPES = 3;
const NOTICES = ["batch.", "fine_tuning.job.", "eval.run.", "video."];

export function read(body: Json, isRow: boolean): Reading {
  if (typeof body === "string") return readText(body, isRow);
  const error = look(body, "error");
  const hasAnswer = look(body, "response") !== null || error !== null;
  if (isRow && hasAnswer) return readRow(body);
  const name = look(body, "object");
  if (typeof name === "string" && name !== "event") return readRun(body, name);
  const kind = look(body, "type");
  if (typeof look(body, "custom_id") === "string" && hasAnswer) return readRow(body);
  // What has a type is an item of a run's output, or an event; what calls itself something else is no run.
  if (look(body, "status") !== null && kind === null && look(body, "object") === null) return readRun(body, null);
  if (typeof kind === "string") {
    if (kind.startsWith("response.")) return readEvent(body, kind.slice("response.".length));
    const turn = look(body, "turn");
    const turnObject = look(turn, "object");
    if (kind.startsWith("agent.session.turn.") && typeof turnObject === "string") return readRun(turn, turnObject);
    const told = word(look(look(body, "data"), "id"));
    if (told !== null && NOTICES.some((start) => kind.startsWith(start))) {
      return { ...NOTHING, kind: "notice", status: kind.slice(kind.lastIndexOf(".") + 1), responseId: told };
    }
    if (kind === "error") return { ...NOTHING, kind: "event", error: isFilled(error) ? error : body };
  }
  return isObject(error) && isFilled(error) ? { ...NOTHING, kind: "event", error } : NOTHING;
}

function readText(text: string, isRow: boolean): Reading {
  let document: Json;
  try {
    document = JSON.parse(text.startsWith("\uFEFF") ? text.slice(1) : text);
  } catch {
    return NOTHING;
  }
  return isObject(document) ? read(document, isRow) : NOTHING;
}

function readRun(run: Json, object: string | null, fallback: string | null = null, beside: Json = null): Reading {
  const status = word(look(run, "status")) ?? fallback;
  const own = look(run, "error");
  // Some servers put the error beside the run, or where the realtime API has it.
  const error = [own, beside, look(look(run, "status_details"), "error")].find(isFilled) ?? own;
  return { kind: "run", run, object, status, error, responseId: word(look(run, "id")) };
}

function readRow(row: Json): Reading {
  return { ...NOTHING, kind: "row", run: row, error: look(row, "error"), responseId: word(look(row, "id")) };
}

function readEvent(event: Json, suffix: string): Reading {
  const run = look(event, "response");
  const data = look(event, "data");
  const error = look(event, "error");
  const hasId = typeof look(run, "id") === "string";
  if (hasId || typeof look(run, "status") === "string") {
    return readRun(run, word(look(run, "object")) ?? "response", hasId ? suffix : null, error);
  }
  if (suffix === "failed" && error !== null) {
    return { ...NOTHING, kind: "run", run, object: "response", status: suffix, error };
  }
  // A webhook carries only the run's id; other stream events (deltas) carry no run at all.
  if (data === null && run === null) return NOTHING;
  return { ...NOTHING, kind: "notice", status: suffix, responseId: word(look(data, "id")) };
}

/** The HTTP answer inside a row. */
export function readAnswer(row: Json): { readonly statusCode: number | null; readonly body: Json } {
  const answer = look(row, "response");
  const statusCode = look(answer, "status_code");
  const body = look(answer, "body");
  return {
    statusCode: Number.isInteger(statusCode) ? (statusCode as number) : null,
    body: typeof body === "string" ? parsed(body) : body,
  };
}

/** What a text that is JSON holds, as OGX writes the body; any other text as it is. */
function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function readFailure(outer: Json, run: Json = null): Failure {
  const claim = readClaim(outer) ?? readClaim(run);
  const error = unwrappedError(outer);
  const type = word(look(error, "type"));
  const message = typeof error === "string" ? word(error) : word(look(error, "message"));
  const raw = look(look(error, "metadata"), "raw");
  const cause = look(typeof raw === "string" ? parsed(raw) : raw, "error");
  return {
    code: word(look(error, "code")),
    message: withCause(message, word(look(cause, "message")) ?? raw),
    type: type === "error" ? null : type,
    param: word(look(error, "param")),
    claim,
    isNull: error === null || error === undefined,
    causes: [look(cause, "code"), look(cause, "type")].map(word).filter((each) => each !== null),
  };
}

/** The `outcome` field in an object; null if there is none, or one without a catalog's version and a known type. */
export function readClaim(place: Json): Claim | null {
  const field = look(place, "outcome");
  const type = word(look(field, "type"));
  if (type === null || !Object.hasOwn(ERROR_TYPES, type) || type === "api_status_error") return null;
  if (typeof look(field, "catalog") !== "string") return null;
  const milliseconds = look(field, "retry_after_ms");
  const isDelay = Number.isInteger(milliseconds) && (milliseconds as number) >= 0;
  return {
    type: type as ErrorType,
    retryable: look(field, "retryable") === true,
    action: word(look(field, "action")),
    retryAfter: isDelay ? (milliseconds as number) / 1000 : null,
  };
}

/** The error inside an error that says nothing itself, as gateways nest them. */
function unwrappedError(outer: Json): Json {
  let error = outer;
  for (let depth = 0; depth < MAX_ENVELOPES; depth++) {
    const inner = [look(error, "error"), look(error, "detail")].find(isFilled) ?? null;
    if (look(error, "code") !== null || look(error, "message") !== null) break;
    if (typeof inner !== "string" && !isObject(inner)) break;
    error = inner;
  }
  return error;
}

/** The message, and the message of the error behind it: OpenRouter keeps that in `metadata.raw`, as JSON. */
function withCause(message: string | null, cause: Json): string | null {
  if (typeof cause !== "string" || cause === "" || (message ?? "").includes(cause)) return message;
  return message === null ? cause : `${message}: ${cause}`;
}

/** The token counts of a `usage` object, flat; null where it holds none. */
export function readUsage(usage: Json): Record<string, number> | null {
  return numbers({
    input_tokens: look(usage, "input_tokens") ?? look(usage, "prompt_tokens"),
    output_tokens: look(usage, "output_tokens") ?? look(usage, "completion_tokens"),
    total_tokens: look(usage, "total_tokens"),
    cached_tokens: look(look(usage, "input_tokens_details"), "cached_tokens"),
    reasoning_tokens: look(look(usage, "output_tokens_details"), "reasoning_tokens"),
  });
}
