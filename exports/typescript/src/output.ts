/** Reads the output of a run: whether there is any, a refusal, items that failed, and tools that acted on the world. */

import { isFilled, look, word, type Json } from "./json.js";

/** An item that failed inside a run. Its message may be the model's; it is cut. */
export interface FailedItem {
  readonly type: string;
  readonly code: string | null;
  readonly message: string | null;
}

export interface Output {
  readonly has_output: boolean;
  readonly refusal: string | null;
  readonly failed_items: readonly FailedItem[];
  readonly tools_ran: readonly string[];
}

const FOR_THE_CALLER = [
  "function_call",
  "custom_tool_call",
  "computer_call",
  "local_shell_call",
  "apply_patch_call",
  "mcp_approval_request",
];
const RESULT_FIELDS = ["result", "results", "output", "outputs"];
const MAX_ITEMS = 10_000;
const MAX_TEXT_CHARS = 300;
/** Failed items and tools that an outcome names, and characters of a type, code or name. */
const MAX_NAMED = 100;

export function readOutput(output: Json): Output {
  if (!Array.isArray(output)) {
    return { has_output: isFilled(output), refusal: null, failed_items: [], tools_ran: [] };
  }
  const items = output.slice(0, MAX_ITEMS);
  const answered = new Set(
    output.filter((item) => look(item, "type") === "shell_call_output").map((item) => word(look(item, "call_id"))),
  );
  const refusals = items.flatMap((item) => textsOf(item, "refusal"));
  return {
    has_output: items.some((item) => isOutput(item, answered)),
    refusal: refusals.length > 0 ? cut(refusals.join("\n")) : null,
    failed_items: items.map(failedItem).filter((item) => item !== null).slice(0, MAX_NAMED),
    tools_ran: output
      .map((item) => acted(item, answered))
      .filter((name) => name !== null)
      .slice(0, MAX_NAMED)
      .map(short),
  };
}

/** A message with text, a call that the caller must answer, or a finished item with a result. */
function isOutput(item: Json, answered: ReadonlySet<string | null>): boolean {
  const kind = look(item, "type");
  if (kind === "message") return textsOf(item, "output_text", "text").some((text) => text.trim() !== "");
  if (typeof kind === "string" && FOR_THE_CALLER.includes(kind)) return true;
  if (kind === "shell_call" && acted(item, answered) === null) return true;
  const status = look(item, "status");
  if ((status !== null && status !== "completed") || kind === "reasoning") return false;
  return RESULT_FIELDS.some((name) => isFilled(look(item, name)));
}

/** The texts of the content parts of these types in a message. */
function textsOf(item: Json, ...kinds: string[]): string[] {
  const content = look(item, "type") === "message" ? look(item, "content") : null;
  if (!Array.isArray(content)) return [];
  return content.flatMap((part) => {
    const kind = look(part, "type");
    if (typeof kind !== "string" || !kinds.includes(kind)) return [];
    const text = look(part, kind === "refusal" ? "refusal" : "text");
    return typeof text === "string" && text !== "" ? [text] : [];
  });
}

function failedItem(item: Json): FailedItem | null {
  const type = word(look(item, "type"));
  const error = look(item, "error");
  if (type === null || (look(item, "status") !== "failed" && !isFilled(error))) return null;
  if (typeof error === "string") return { type: short(type), code: null, message: cut(error) };
  const message = word(look(error, "message")) ?? word(look(error, "content"));
  const code = word(look(error, "code"));
  return { type: short(type), code: code && short(code), message: message === null ? null : cut(message) };
}

/**
 * The name of a tool that the server ran and that may have changed the world; null for any other item. `answered` holds
 * the ids of the shell calls whose results stand in the same output.
 */
function acted(item: Json, answered: ReadonlySet<string | null>): string | null {
  const kind = look(item, "type");
  if (kind === "mcp_call") {
    const names = [look(item, "server_label"), look(item, "name")].map(word).filter((name) => name !== null);
    return names.join(".") || "mcp_call";
  }
  if (kind !== "shell_call") return null;
  const environment = look(item, "environment");
  const isHosted = environment === null ? answered.has(word(look(item, "call_id"))) : look(environment, "type") !== "local";
  return isHosted ? "shell_call" : null;
}

function short(text: string): string {
  return [...text.slice(0, 2 * MAX_NAMED)].slice(0, MAX_NAMED).join("");
}

function cut(text: string): string {
  return text.length <= MAX_TEXT_CHARS ? text : `${text.slice(0, MAX_TEXT_CHARS - 1)}…`;
}
