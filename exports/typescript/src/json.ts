/** Plain JSON values, looked at without trusting their shape. */

export type Json = unknown;

/** `value[name]` of an object; null of anything else, and where there is none. */
export function look(value: Json, name: string): Json {
  return isObject(value) && Object.hasOwn(value, name) ? (value[name] ?? null) : null;
}

/** What lies at the end of a dotted path; null where a step is missing. */
export function find(value: Json, path: string): Json {
  return path.split(".").reduce(look, value);
}

/** `value` as text, null for null and the empty text; a number is its digits. */
export function word(value: Json): string | null {
  if (value === null || value === undefined || value === "") return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}

export function isObject(value: Json): value is Record<string, Json> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether there is something in it: not null, false, zero, or empty. */
export function isFilled(value: Json): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return isObject(value) ? Object.keys(value).length > 0 : Boolean(value);
}

/** The whole numbers from zero in an object, by name; null where there are none. */
export function numbers(value: Json): Record<string, number> | null {
  if (!isObject(value)) return null;
  const found = Object.entries(value).filter(
    (pair): pair is [string, number] => Number.isInteger(pair[1]) && (pair[1] as number) >= 0,
  );
  return found.length > 0 ? Object.fromEntries(found) : null;
}
