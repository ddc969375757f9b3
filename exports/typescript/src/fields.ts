/** What an error of the `openai` package has beside its message, and an error made without the package too. */

/** All of them are undefined on a class of the package that lacks them, such as `ContentFilterFinishReasonError`. */
export interface ErrorFields {
  /** The equivalent HTTP status; undefined where none is claimed. */
  readonly status?: number | undefined;
  readonly headers?: Headers | undefined;
  readonly code?: string | null | undefined;
  readonly param?: string | null | undefined;
  readonly type?: string | null | undefined;
}

interface Body {
  readonly code: string | null;
  readonly param: string | null;
  readonly type: string | null;
}

/** The error where no class was passed: the arguments and the fields are those of the package's `APIError`. */
export class PlainError extends Error implements ErrorFields {
  readonly status: number | undefined;
  readonly error: object;
  readonly headers: Headers | undefined;
  readonly code: string | null;
  readonly param: string | null;
  readonly type: string | null;

  constructor(status: number | undefined, error: Body, message: string, headers: Headers | undefined) {
    super(status === undefined ? message : `${status} ${message}`);
    this.name = "RunError";
    this.status = status;
    this.error = error;
    this.headers = headers;
    this.code = error.code;
    this.param = error.param;
    this.type = error.type;
  }
}
