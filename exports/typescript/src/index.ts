export * from "./catalog.js";
export { classify, idOf, type Options, type Outcome, type Phase } from "./classify.js";
export { describe, errorClassFor, errorFor, type Classes, type ErrorBody, type RunError } from "./errors.js";
export { type ErrorFields } from "./fields.js";
