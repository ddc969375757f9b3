/**
 * The lookup ladder: which row, rule or fallback decides about one failure.
 *
 * exact (surface, code) -> the same code on `response` -> numeric code 400-599 -> the payload's own `outcome` field
 * -> a code in `error.type` (only if its row is not retryable) -> one of our error types or the server's own `error.type` (class only) -> the row for "no code" or "unknown code". Rules by message then refine
 * `retryable` and `action`.
 */

import {
  ACTIONS,
  ENTRIES,
  ERROR_TYPES,
  HTTP_STATUSES,
  RETRYABLE_STATUSES,
  RULES,
  SURFACES,
  UPSTREAM_ERROR_TYPES,
  type Action,
  type Entry,
  type ErrorClass,
  type ErrorType,
  type Match,
  type Rule,
  type Surface,
  type SurfaceRow,
  type TypeRow,
} from "./catalog.js";
import type { Claim, Failure } from "./reading.js";

export interface Verdict {
  readonly entry: Entry | null;
  readonly errorClass: ErrorClass | null;
  readonly errorType: ErrorType | null;
  readonly statusCode: number | null;
  readonly retryable: boolean;
  readonly action: Action;
  readonly known: boolean;
  readonly rule: Rule | null;
}

const HOME: Surface = "response";
const INDEX = new Map<string, Entry>(ENTRIES.map((row) => [keyOf(row.surface, row.field, row.match, row.value), row]));
const TYPES = new Map<string, TypeRow>(Object.entries(ERROR_TYPES));
const UPSTREAM = new Map<string, ErrorType>(Object.entries(UPSTREAM_ERROR_TYPES));
const STATUSES = new Map<number, ErrorType>(Object.entries(HTTP_STATUSES).map(([code, type]) => [Number(code), type]));
const RETRYABLE: readonly number[] = RETRYABLE_STATUSES;
const PATTERNS = new Map<string, RegExp>(RULES.map((rule) => [rule.id, new RegExp(rule.pattern)]));

export function lookup(surface: Surface, failure: Failure): Verdict {
  const verdict =
    byCode(surface, failure) ??
    byNumber(surface, failure) ??
    byClaim(surface, failure) ??
    byCodeInType(surface, failure) ??
    byUpstreamType(surface, failure) ??
    verdictOf(rowFor(surface, failure), false);
  return refined(surface, failure, verdict);
}

/** An HTTP error in a row: its status gives the class, and a code of the catalog says what may be done. */
export function lookupAnswer(surface: Surface, failure: Failure, statusCode: number): Verdict {
  const verdict = ofStatus(surface, statusCode);
  const coded = byCode(surface, failure);
  if (coded !== null) {
    const { entry, retryable, action } = coded;
    return refined(surface, failure, { ...verdict, entry, retryable, action, known: true });
  }
  return refined(surface, failure, namesQuota(failure) ? withoutQuota(verdict) : verdict);
}

/** Servers put codes of used-up quota into the type, or into the error behind this one: then nothing is made again. */
function namesQuota({ type, causes }: Failure): boolean {
  return [type, ...causes].some((name) => {
    const entry = name === null ? null : entryOf(HOME, "error.code", "literal", name);
    return entry?.action === "fix_account" && entry.error_type === "rate_limit_error";
  });
}

function withoutQuota(verdict: Verdict): Verdict {
  return { ...verdict, rule: null, retryable: false, action: "fix_account" };
}

export function entryOf(surface: Surface, field: string, match: Match, value: string | null = null): Entry | null {
  return INDEX.get(keyOf(surface, field, match, value)) ?? null;
}

/** What a row says; a class without an observed status takes the status of its error type. */
export function verdictOf(entry: Entry | null, known: boolean): Verdict {
  if (entry === null) {
    const bare = { errorClass: "APIError", errorType: "unknown_error", statusCode: null } as const;
    return { entry, ...bare, retryable: false, action: "none", known: false, rule: null };
  }
  const kind = entry.error_type === null ? undefined : TYPES.get(entry.error_type);
  return {
    entry,
    errorClass: entry.error_class,
    errorType: entry.error_type,
    statusCode: entry.status_code ?? kind?.status_code ?? null,
    retryable: entry.retryable,
    action: entry.action,
    known,
    rule: null,
  };
}

export function surfaceRow(surface: Surface): SurfaceRow {
  return SURFACES[surface];
}

function keyOf(surface: string, field: string, match: Match, value: string | null): string {
  return JSON.stringify([surface, field, match, value]);
}

function codeRow(surface: Surface, match: Match, code: string | null = null): Entry | null {
  const own = entryOf(surface, `${surfaceRow(surface).failure_field}.code`, match, code);
  return own ?? entryOf(HOME, "error.code", match, code);
}

function rowFor(surface: Surface, failure: Failure): Entry | null {
  if (!failure.isNull) return codeRow(surface, failure.code === null ? "null" : "unknown");
  return entryOf(surface, surfaceRow(surface).failure_field, "null") ?? entryOf(HOME, "error", "null");
}

function byCode(surface: Surface, failure: Failure): Verdict | null {
  const entry = failure.code === null ? null : codeRow(surface, "literal", failure.code);
  return entry === null ? null : verdictOf(entry, true);
}

function byNumber(surface: Surface, failure: Failure): Verdict | null {
  if (failure.code === null || !/^[45][0-9][0-9]$/.test(failure.code)) return null;
  const verdict = ofStatus(surface, Number(failure.code));
  return namesQuota(failure) ? withoutQuota(verdict) : verdict;
}

function ofStatus(surface: Surface, statusCode: number): Verdict {
  const errorType = statusCode >= 500 ? "internal_server_error" : (STATUSES.get(statusCode) ?? "api_status_error");
  const retryable = statusCode >= 500 || RETRYABLE.includes(statusCode);
  return {
    entry: codeRow(surface, "http_status"),
    errorClass: ERROR_TYPES[errorType].error_class,
    errorType,
    statusCode,
    retryable,
    action: actionOf(statusCode, retryable),
    known: false,
    rule: null,
  };
}

function actionOf(statusCode: number, retryable: boolean): Action {
  if (retryable) return statusCode === 429 || statusCode === 503 ? "resubmit_later" : "resubmit";
  return [401, 402, 403].includes(statusCode) ? "fix_account" : "change_request";
}

function byClaim(surface: Surface, failure: Failure): Verdict | null {
  return failure.claim === null ? null : claimed(verdictOf(rowFor(surface, failure), false), failure.claim);
}

/** The verdict on a value without a row, by the payload's own `outcome` field. */
export function claimed(verdict: Verdict, claim: Claim): Verdict {
  const { error_class: errorClass, status_code: statusCode } = ERROR_TYPES[claim.type];
  // Unknown, cancelled or incomplete is never made again on a payload's word: only what has an HTTP status.
  const retryable = claim.retryable && statusCode !== null;
  const action = claimedAction(claim.action, retryable);
  return { ...verdict, errorClass, errorType: claim.type, statusCode, retryable, action, known: false };
}

/** A code that stands in `error.type`: it may say that a run is not retryable, never that it is. */
function byCodeInType(surface: Surface, failure: Failure): Verdict | null {
  if (failure.code !== null || failure.type === null) return null;
  const verdict = byCode(surface, { ...failure, code: failure.type });
  return verdict === null || verdict.retryable ? null : { ...verdict, known: false };
}

function byUpstreamType(surface: Surface, failure: Failure): Verdict | null {
  if (failure.type === null) return null;
  // `api_status_error` means "its actual status", and a payload without a numeric code has none.
  const own = TYPES.has(failure.type) && failure.type !== "api_status_error" ? (failure.type as ErrorType) : undefined;
  const errorType = UPSTREAM.get(failure.type) ?? own;
  return errorType === undefined ? null : byType(surface, failure, errorType, false, "none");
}

function byType(surface: Surface, failure: Failure, errorType: ErrorType, retryable: boolean, action: Action): Verdict {
  const { error_class: errorClass, status_code: statusCode } = ERROR_TYPES[errorType];
  return { entry: rowFor(surface, failure), errorClass, errorType, statusCode, retryable, action, known: false, rule: null };
}

/** A payload may not contradict itself: only a retryable failure is submitted again. */
function claimedAction(claim: string | null, retryable: boolean): Action {
  const action = ACTIONS.find((known) => known === claim);
  const agrees = (action === "resubmit" || action === "resubmit_later") === retryable;
  return action !== undefined && agrees ? action : retryable ? "resubmit" : "none";
}

function refined(surface: Surface, failure: Failure, verdict: Verdict): Verdict {
  const ruled = byRule(surface, failure, verdict);
  return ruled.retryable && namesQuota(failure) ? withoutQuota(ruled) : ruled;
}

function byRule(surface: Surface, failure: Failure, verdict: Verdict): Verdict {
  const message = failure.message?.toLowerCase();
  const rules: readonly Rule[] = RULES;
  const rule = rules.find(
    ({ id, code, surface: home }) =>
      message !== undefined &&
      (code === "*" || code === failure.code) &&
      (home === surface || home === HOME) &&
      PATTERNS.get(id)?.test(message),
  );
  if (rule === undefined || (rule.retryable === verdict.retryable && rule.action === verdict.action)) return verdict;
  return { ...verdict, rule, retryable: rule.retryable, action: rule.action };
}
