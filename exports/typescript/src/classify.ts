/** `classify`: one body, one outcome. Pure and total: any JSON value or text gives an outcome, and nothing raises. */

import { SURFACES, type Action, type Entry, type ErrorClass, type ErrorType, type Surface } from "./catalog.js";
import { MAX_SECONDS, delayFromField, delayFromHeaders, delayFromMessage, type Delay } from "./delay.js";
import { find, isFilled, isObject, look, numbers, word, type Json } from "./json.js";
import { readOutput, type FailedItem } from "./output.js";
import { claimed, entryOf, lookup, lookupAnswer, surfaceRow, verdictOf, type Verdict } from "./lookup.js";
import { read, readAnswer, readClaim, readFailure, readUsage, type Failure, type Reading } from "./reading.js";

export type Phase = "pending" | "terminal" | "unknown";

/** What a body says became of its run, and what may be done about it. */
export interface Outcome {
  readonly phase: Phase;
  readonly status: string | null;
  readonly ok: boolean;
  readonly surface: Surface | null;
  readonly code: string | null;
  readonly reason: string | null;
  readonly message: string | null;
  readonly param: string | null;
  readonly error_class: ErrorClass | null;
  readonly error_type: ErrorType | null;
  readonly status_code: number | null;
  /** An identical new run may succeed. */
  readonly retryable: boolean;
  readonly action: Action;
  /** A row for this literal code, reason or status decided. */
  readonly known: boolean;
  /** Seconds the server asked to wait before a new run. */
  readonly retry_after: number | null;
  readonly retry_after_source: string | null;
  /** Seconds the server asked to wait, uncut. */
  readonly retry_after_requested: number | null;
  readonly response_id: string | null;
  readonly model: string | null;
  readonly usage: Readonly<Record<string, number>> | null;
  readonly has_output: boolean;
  readonly counts: Readonly<Record<string, number>> | null;
  /** The model's refusal, if its output has one; cut. */
  readonly refusal: string | null;
  /** Items that failed inside the run; they do not fail the run. */
  readonly failed_items: readonly FailedItem[];
  /** Names of tools that the server ran and that may have changed the world, begun or done. */
  readonly tools_ran: readonly string[];
  /** The id of the row that decided, `surface/field/value`. */
  readonly entry: string | null;
  /** The id of the rule by message that changed what may be done. */
  readonly rule: string | null;
  /** The id of the row about the output of a completed run: a refusal, no output, failed items. */
  readonly output_entry: string | null;
}

export interface Options {
  /** The kind of body, where it does not say so itself. */
  readonly surface?: string;
}

const HOME: Surface = "response";
const ROW: Surface = "batch.output_row";
const OBJECTS = new Map<string, Surface>();
for (const [name, row] of Object.entries(SURFACES)) {
  for (const object of [row.object, ...row.aliases]) if (object) OBJECTS.set(object, name as Surface);
}

const NO_BODY: Outcome = {
  phase: "unknown",
  status: null,
  ok: false,
  surface: null,
  code: null,
  reason: null,
  message: null,
  param: null,
  error_class: "APIError",
  error_type: "unknown_error",
  status_code: null,
  retryable: false,
  action: "none",
  known: false,
  retry_after: null,
  retry_after_source: null,
  retry_after_requested: null,
  response_id: null,
  model: null,
  usage: null,
  has_output: false,
  counts: null,
  refusal: null,
  failed_items: [],
  tools_ran: [],
  entry: null,
  rule: null,
  output_entry: null,
};

export function classify(body: Json, { surface }: Options = {}): Outcome {
  let reading = read(body, surface === ROW);
  let named = surface;
  if (reading.kind === "row") {
    reading = unwrapped(reading);
    named = undefined; // the name is that of the row, not of the body inside
  }
  switch (reading.kind) {
    case "run": {
      const place = surfaceFor(reading, named);
      return place === null ? NO_BODY : judgeRun(reading, place);
    }
    case "row":
      return judgeRow(reading);
    case "event": {
      // The connection speaks, not the run: its code is classified, but the run's own state stays unknown.
      const failure = readFailure(reading.error);
      const place = named !== undefined && Object.hasOwn(SURFACES, named) ? (named as Surface) : HOME;
      return failed(lookup(place, failure), failure, reading, place, "unknown");
    }
    default:
      return { ...NO_BODY, status: reading.status, response_id: reading.responseId };
  }
}

/** The id of a row, with `<null>`, `<unknown>` or `<http_status>` where it is not for a literal. */
export function idOf(entry: Entry): string {
  return `${entry.surface}/${entry.field}/${entry.match === "literal" ? entry.value : `<${entry.match}>`}`;
}

function surfaceFor(reading: Reading, named: string | undefined): Surface | null {
  if (named !== undefined) return Object.hasOwn(SURFACES, named) ? (named as Surface) : null;
  return reading.object === null ? HOME : (OBJECTS.get(reading.object) ?? null);
}

/** The run inside a row whose request was answered with one: it is judged like any other. Else the row. */
function unwrapped(row: Reading): Reading {
  const { statusCode, body } = readAnswer(row.run);
  if (row.error !== null || !isSuccess(statusCode)) return row;
  const inner = read(body, false);
  return inner.kind === "run" && OBJECTS.has(inner.object ?? "") ? inner : row;
}

function isSuccess(statusCode: number | null): boolean {
  return statusCode !== null && statusCode >= 200 && statusCode < 300;
}

function judgeRow(row: Reading): Outcome {
  const { statusCode, body } = readAnswer(row.run);
  const error = row.error ?? look(body, "error");
  const told = { ...row, status: "failed", error };
  const isError = statusCode !== null && statusCode >= 400 && statusCode < 600;
  if (isError || error !== null) {
    const said = readFailure(error ?? body);
    // Some servers put the code beside an error that is a text.
    const failure = typeof error === "string" ? { ...said, code: word(look(body, "code")) } : said;
    const verdict = isError ? lookupAnswer(ROW, failure, statusCode) : lookup(ROW, failure);
    if (!isError && verdict.retryable && read(body, false).status === "completed") {
      // It is paid for, and there.
      return failed({ ...verdict, retryable: false, action: "continue" }, failure, told, ROW, phaseOf(ROW, "failed"));
    }
    return failed(verdict, failure, told, ROW, phaseOf(ROW, "failed"));
  }
  const unanswered = entryOf(ROW, "response.status_code", "literal", `${statusCode}`);
  if (unanswered !== null) {
    return failed(verdictOf(unanswered, true), readFailure(null), told, ROW, phaseOf(ROW, "failed"));
  }
  // A 200 without a body proves nothing: unknown is never success.
  if (!isSuccess(statusCode) || !isObject(body) || !isFilled(body)) {
    return { ...NO_BODY, surface: ROW, response_id: row.responseId };
  }
  return judgedByStatus({ ...row, status: "completed" }, ROW);
}

function judgeRun(reading: Reading, surface: Surface): Outcome {
  const place = surfaceRow(surface);
  const status = reading.status ?? "";
  const field = Object.hasOwn(place.decided_by, status) ? place.decided_by[status] : undefined;
  if (field === undefined) {
    const outcome = judgedByStatus(reading, surface);
    if (reading.error === null || outcome.phase !== "pending") return outcome;
    const { code, message, param } = readFailure(reading.error); // it decides nothing: the run goes on
    return { ...outcome, code, message, param };
  }
  if (field === `${place.failure_field}.code`) {
    const own = place.failure_field === "error" ? reading.error : find(reading.run, place.failure_field);
    const error = decisive(own, surface);
    const failure = readFailure(error, reading.run);
    return failed(lookup(surface, failure), failure, { ...reading, error }, surface, phaseOf(surface, status));
  }
  const reason = word(find(reading.run, field));
  const said = ofReason(surface, field, reason, status);
  const details = field.split(".").slice(0, -1).join(".");
  const claim = readClaim(find(reading.run, details)) ?? readClaim(reading.run);
  const verdict = claim === null || said.known ? said : claimed(said, claim);
  return { ...outcomeOf(verdict, reading, surface, phaseOf(surface, status)), reason };
}

function judgedByStatus(reading: Reading, surface: Surface): Outcome {
  const status = reading.status ?? "";
  const outcome = outcomeOf(ofStatus(surface, reading.status), reading, surface, phaseOf(surface, status));
  if (!surfaceRow(surface).completed.includes(status)) return outcome;
  return { ...outcome, ok: true, output_entry: outputEntry(outcome, surface) };
}

function phaseOf(surface: Surface, status: string): Phase {
  const { pending, terminal } = surfaceRow(surface);
  if (pending.includes(status)) return "pending";
  return terminal.includes(status) ? "terminal" : "unknown";
}

/** Of several errors the first by which a new attempt is pointless, else the first. */
function decisive(error: Json, surface: Surface): Json {
  if (!Array.isArray(error) || surfaceRow(surface).failure_field === "error") return error;
  const pointless = error.findIndex((each) => !lookup(surface, readFailure(each)).retryable);
  return error[Math.max(pointless, 0)] ?? null;
}

function ofReason(surface: Surface, field: string, reason: string | null, status: string): Verdict {
  const literal = reason === null ? null : entryOf(surface, field, "literal", reason);
  if (literal !== null) return verdictOf(literal, true);
  if (status === "incomplete") {
    return verdictOf(fallback(surface, field, reason) ?? fallback(HOME, "incomplete_details.reason", reason), false);
  }
  return { ...ofStatus(surface, status), known: reason === null };
}

function ofStatus(surface: Surface, status: string | null): Verdict {
  const literal = status === null ? null : entryOf(surface, "status", "literal", status);
  if (literal !== null) return verdictOf(literal, true);
  return verdictOf(fallback(surface, "status", status) ?? fallback(HOME, "status", status), false);
}

function fallback(surface: Surface, field: string, value: string | null): Entry | null {
  return (value === null ? entryOf(surface, field, "null") : null) ?? entryOf(surface, field, "unknown");
}

function failed(verdict: Verdict, failure: Failure, reading: Reading, surface: Surface, phase: Phase): Outcome {
  const isRateLimit = verdict.errorClass === "RateLimitError" && verdict.retryable;
  const delay =
    delayFromHeaders(reading.error) ??
    delayFromField(reading.error) ??
    delayFromClaim(failure) ??
    (isRateLimit ? delayFromMessage(failure.message) : null);
  return {
    ...outcomeOf(verdict, reading, surface, phase),
    code: failure.code,
    message: failure.message,
    param: failure.param,
    retry_after: delay === null ? null : Math.min(delay.seconds, MAX_SECONDS),
    retry_after_requested: delay?.seconds ?? null,
    retry_after_source: delay?.source ?? null,
  };
}

function delayFromClaim({ claim }: Failure): Delay | null {
  const seconds = claim?.retryAfter ?? null;
  return seconds === null ? null : { seconds, source: "outcome.retry_after_ms" };
}

/** The row about an output that is not what was asked for; null if there is nothing to say, or no such row. */
function outputEntry(outcome: Outcome, surface: Surface): string | null {
  const { output_field: field, counts_field: countsField } = surfaceRow(surface);
  if (field === null) return null;
  let value: string | null;
  if (outcome.has_output) {
    value = outcome.failed_items.length > 0 ? "failed_items" : null;
  } else if (countsField !== null) {
    const { failed = 0, completed = 0 } = outcome.counts ?? {};
    value = failed > 0 && completed === 0 ? "empty" : null;
  } else {
    value = outcome.refusal === null ? "empty" : "refusal";
  }
  const entry = value === null ? null : entryOf(surface, field, "literal", value);
  return entry && idOf(entry);
}

function outcomeOf(verdict: Verdict, reading: Reading, surface: Surface, phase: Phase): Outcome {
  const { output_field: output, counts_field: counts } = surfaceRow(surface);
  const body = reading.kind === "row" ? readAnswer(reading.run).body : reading.run;
  const hasEnded = phase !== "pending";
  // The body of an HTTP error is not something that was produced.
  const isAnswer = reading.kind !== "row" || reading.status === "completed";
  const nothing = { has_output: false, refusal: null, failed_items: [], tools_ran: [] };
  return {
    ...NO_BODY,
    ...(hasEnded && isAnswer && output !== null ? readOutput(find(reading.run, output)) : nothing),
    phase,
    surface,
    status: reading.status,
    error_class: verdict.errorClass,
    error_type: verdict.errorType,
    status_code: verdict.statusCode,
    // A run that may still be going is never made again, whatever an event says.
    retryable: verdict.retryable && phase === "terminal",
    action: phase === "unknown" && verdict.retryable ? "none" : verdict.action,
    known: verdict.known,
    response_id: reading.responseId,
    model: hasEnded ? word(look(body, "model")) : null,
    usage: hasEnded ? readUsage(look(body, "usage")) : null,
    counts: counts === null ? null : numbers(look(reading.run, counts)),
    entry: verdict.entry && idOf(verdict.entry),
    rule: verdict.rule?.id ?? null,
  };
}
