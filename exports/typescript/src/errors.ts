/**
 * From an outcome to the error class of the `openai` package that it amounts to, and a real error of that class.
 *
 * The package has no class for any other 4xx (`APIStatusError`): it is an `APIError` with its status there, and here.
 * What has no class at all, an incomplete or cancelled run for example, is a bare `APIError`: no status is claimed.
 * `ContentFilterFinishReasonError` is in `openai/error`, not on the client: pass that module to have it.
 */

import { ENTRIES, RULES, type Action, type Entry, type ErrorType, type Rule } from "./catalog.js";
import { classify, idOf, type Options, type Outcome } from "./classify.js";
import { PlainError, type ErrorFields } from "./fields.js";
import type { Json } from "./json.js";
import { read, readFailure } from "./reading.js";

type ErrorLike = new (...args: any[]) => Error;

/**
 * The client class of the `openai` package, or its module `openai/error`: whatever has its error classes by name. A
 * class that is left out is replaced by `APIError`, and that one by a plain error with the same fields.
 */
export interface Classes {
  readonly APIError?: ErrorLike;
  readonly BadRequestError?: ErrorLike;
  readonly AuthenticationError?: ErrorLike;
  readonly PermissionDeniedError?: ErrorLike;
  readonly NotFoundError?: ErrorLike;
  readonly ConflictError?: ErrorLike;
  readonly UnprocessableEntityError?: ErrorLike;
  readonly RateLimitError?: ErrorLike;
  readonly InternalServerError?: ErrorLike;
  readonly ContentFilterFinishReasonError?: ErrorLike;
}

/** What an error made here says in its `error`, and so in its `code`, `param` and `type`. */
export interface ErrorBody {
  readonly code: string | null;
  readonly message: string;
  readonly param: string | null;
  /** The server's own `error.type`; our `error_type` where it sent none. */
  readonly type: string | null;
  readonly retryable: boolean;
  readonly action: Action;
}

/** `type` on it is the server's own word, as in the package; ours is `error_type`. */
export type RunError = Error & ErrorFields & { readonly outcome: Outcome; readonly error_type: ErrorType | null };

/** The class that an outcome amounts to; `APIError` where the package has none. */
export function errorClassFor(outcome: Outcome, classes: Classes): ErrorLike {
  const name = outcome.error_class;
  // A run in an unknown state may still be going: no status and no cause is claimed for it.
  if (name === null || name === "APIStatusError" || outcome.phase !== "terminal") return baseOf(classes);
  return classes[name] ?? baseOf(classes);
}

function baseOf(classes: Classes): ErrorLike {
  return classes.APIError ?? PlainError;
}

/** A fresh error for what `body` says became of its run, with `outcome` on it; null if it is completed or pending. */
export function errorFor(body: Json, classes: Classes, options: Options = {}): RunError | null {
  const outcome = classify(body, options);
  if (outcome.ok || outcome.phase === "pending") return null;
  const said = readFailure(read(body, options.surface === "batch.output_row").error).type;
  const error = made(outcome, errorClassFor(outcome, classes), classes, said ?? outcome.error_type);
  return Object.assign(error, { outcome, error_type: outcome.error_type });
}

function made(outcome: Outcome, cls: ErrorLike, classes: Classes, type: string | null): Error {
  if (cls === classes.ContentFilterFinishReasonError) return new cls();
  const { code, param, retryable, action } = outcome;
  const message = outcome.message ?? describe(outcome);
  const error: ErrorBody = { code, message, param, type, retryable, action };
  const hasStatus = outcome.error_class !== null && (outcome.status_code ?? 0) >= 400;
  if (!hasStatus || outcome.phase !== "terminal") return new cls(undefined, error, message, undefined);
  return new cls(outcome.status_code ?? undefined, error, message, headersOf(outcome));
}

/** What the package's own retry rule and other readers of a status error look at. */
function headersOf(outcome: Outcome): Headers {
  const headers = new Headers({ "x-should-retry": String(outcome.retryable && outcome.tools_ran.length === 0) });
  if (outcome.retry_after !== null) headers.set("retry-after-ms", String(Math.round(outcome.retry_after * 1000)));
  return headers;
}

/** What happened, why, and what to do, in the words of the catalog. */
export function describe(outcome: Outcome): string {
  const entries: readonly Entry[] = ENTRIES;
  const rules: readonly Rule[] = RULES;
  const row = outcome.output_entry ?? outcome.entry;
  const words = rules.find((rule) => rule.id === outcome.rule) ?? entries.find((entry) => idOf(entry) === row);
  const label = outcome.code ?? outcome.reason ?? outcome.status ?? "no status";
  if (words === undefined) return `${label}: No run body. Fetch the run by its id and judge that body.`;
  return `${label}: ${words.title}. ${words.cause} ${remedyOf(outcome, words)}`;
}

/** The advice of the row, but where tools acted or a code for used-up quota stands beside its own. */
function remedyOf(outcome: Outcome, words: Entry | Rule): string {
  if (outcome.retryable && outcome.tools_ran.length > 0) {
    const names = outcome.tools_ran.slice(0, 3).join(", ");
    return `Tools acted in this run (${names}) and act again in a new one: check first what they have changed.`;
  }
  if (words.retryable && outcome.action === "fix_account") {
    return "The error also has a code for used-up quota: add credit or raise the limit before you submit it again.";
  }
  return words.remedy;
}
