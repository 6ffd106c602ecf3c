/** One HTTP request to the server: JSON both ways, CSRF, and errors as one type. */
import type { z } from "zod";

/** A refusal by the server, or no usable answer from it; `message` is fit to be shown. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }

  /** Messages by form field, when the server refused a form. */
  get fields(): Readonly<Record<string, string>> {
    const fields = this.details["fields"];
    if (typeof fields !== "object" || fields === null) return {};
    return Object.fromEntries(
      Object.entries(fields).map(([name, messages]: [string, unknown]) => [
        name,
        Array.isArray(messages) ? messages.map(String).join(" ") : String(messages),
      ]),
    );
  }
}

/** A connection that stands half open answers nothing for minutes: that is as good as none. */
const PATIENCE_MS = 60_000;

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
type QueryValue = string | number | boolean | readonly string[] | null | undefined;

export interface RequestOptions {
  readonly body?: unknown;
  readonly query?: Readonly<Record<string, QueryValue>>;
  readonly signal?: AbortSignal;
}

/** Sends the request and returns the answer parsed by `schema`; throws ApiError. */
export async function requestJson<T>(
  method: Method,
  path: string,
  schema: z.ZodType<T>,
  options: RequestOptions = {},
): Promise<T> {
  const response = await send(method, path, options);
  const parsed = schema.safeParse(await readJson(response));
  if (!parsed.success) {
    const where = parsed.error.issues[0];
    throw new ApiError(
      "net.unexpected_answer",
      "The server answered in a form this page does not know. Reload the page to get its newest version.",
      response.status,
      { path, at: where?.path.join("."), problem: where?.message },
    );
  }
  return parsed.data;
}

/** Sends a request whose answer has no content. */
export async function requestNothing(method: Method, path: string, options: RequestOptions = {}): Promise<void> {
  await send(method, path, options);
}

/** The CSRF token of this session, from the cookie the server has set. */
export function csrfToken(cookies: string = document.cookie): string {
  for (const pair of cookies.split(";")) {
    const [name, value] = pair.trim().split("=", 2);
    if (name === "csrftoken" && value !== undefined) return decodeURIComponent(value);
  }
  return "";
}

/** Path and query string; absent values are left out, arrays repeat their name. */
export function withQuery(path: string, query: RequestOptions["query"] = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    if (typeof value === "object") for (const one of value) params.append(name, one);
    else params.append(name, String(value));
  }
  const text = params.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** A request refused only because the page's token is old was not carried out: it goes again with a new one. */
async function send(method: Method, path: string, options: RequestOptions): Promise<Response> {
  const response = await sendOnce(method, path, options);
  if (response.ok) return response;
  const error = await refusal(response);
  if (error.code !== "auth.csrf") throw error;
  await sendOnce("GET", "/api/session", {});
  const again = await sendOnce(method, path, options);
  if (!again.ok) throw await refusal(again);
  return again;
}

async function sendOnce(method: Method, path: string, options: RequestOptions): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(withQuery(path, options.query), {
      method,
      headers,
      credentials: "same-origin",
      body: options.body === undefined ? null : JSON.stringify(options.body),
      signal: withPatience(options.signal),
    });
  } catch (reason) {
    if (reason instanceof DOMException && reason.name === "AbortError") throw reason;
    throw new ApiError("net.unreachable", "The server cannot be reached. Check your connection and try again.", 0);
  }
}

function withPatience(signal: AbortSignal | undefined): AbortSignal {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  return signal === undefined ? patience : AbortSignal.any([signal, patience]);
}

async function refusal(response: Response): Promise<ApiError> {
  const body = await readJson(response);
  if (typeof body === "object" && body !== null && "error" in body) {
    const { error } = body;
    if (typeof error === "object" && error !== null) {
      const { code, message, details } = error as Record<string, unknown>;
      return new ApiError(
        typeof code === "string" ? code : "net.unexpected_answer",
        typeof message === "string" ? message : statusMessage(response.status),
        response.status,
        typeof details === "object" && details !== null ? (details as Record<string, unknown>) : {},
      );
    }
  }
  return new ApiError("net.unexpected_answer", statusMessage(response.status), response.status);
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}

function statusMessage(status: number): string {
  return status >= 500
    ? `The server failed (${status}). Try again in a moment; if it stays so, tell your administrator.`
    : `The server refused the request (${status}). Reload the page and try again.`;
}
