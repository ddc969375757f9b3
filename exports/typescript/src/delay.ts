/** How long a server asks to wait before a new run: by `error.headers`, `resets_in_seconds`, or in its message. */

import { isObject, look, type Json } from "./json.js";

export interface Delay {
  readonly seconds: number;
  readonly source: string;
}

/** `retry_after` is at most this. */
export const MAX_SECONDS = 3600;
const SPACE = "[ \\t\\n\\r\\f\\v]";
const AMOUNT = `([0-9]{1,9}(?:\\.[0-9]{1,9})?)${SPACE}?(milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|h)(?![a-z])`;
const WISH = new RegExp(`(?:try again|retry)${SPACE}(?:in|after)${SPACE}((?:${AMOUNT}${SPACE}?){1,4})`);
const NUMBER = /^\s*\+?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?\s*$/i;

export function delayFromHeaders(error: Json): Delay | null {
  const headers = look(error, "headers");
  if (!isObject(headers)) return null;
  const lowered = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  for (const [name, scale] of [["retry-after-ms", 0.001], ["retry-after", 1]] as const) {
    const seconds = parseSeconds(look(lowered, name), scale);
    if (seconds !== null) return { seconds, source: `error.headers.${name}` };
  }
  return null;
}

/** By `resets_in_seconds`, as ChatGPT's usage limits have it. */
export function delayFromField(error: Json): Delay | null {
  const seconds = parseSeconds(look(error, "resets_in_seconds"), 1);
  return seconds === null ? null : { seconds, source: "error.resets_in_seconds" };
}

export function delayFromMessage(message: string | null): Delay | null {
  const wish = WISH.exec((message ?? "").slice(0, 2000).toLowerCase())?.[1];
  if (wish === undefined) return null;
  let seconds = 0;
  for (const [, amount, unit] of wish.matchAll(new RegExp(AMOUNT, "g"))) seconds += Number(amount) * scaleOf(unit ?? "");
  return { seconds, source: "error.message" };
}

function parseSeconds(value: Json, scale: number): number | null {
  const isNumber = typeof value === "number" || (typeof value === "string" && NUMBER.test(value));
  const seconds = isNumber ? Number(value) * scale : NaN;
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}

function scaleOf(unit: string): number {
  if (unit.startsWith("ms") || unit.startsWith("milli")) return 0.001;
  return unit.startsWith("m") ? 60 : unit.startsWith("h") ? 3600 : 1;
}
