/** A server in the test's hand: answers by method and path, and remembers what was asked. */
import { vi } from "vitest";

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

type Answers = Readonly<Record<string, unknown>>;

/** `answers` is keyed `"METHOD /path"`; a value with `status` and `error` is a refusal, anything else a 200. */
export function serve(answers: Answers): readonly Asked[] {
  const asked: Asked[] = [];
  vi.stubGlobal("fetch", (input: string, init?: RequestInit) => {
    const path = input.split("?")[0] ?? "";
    const method = init?.method ?? "GET";
    asked.push({
      method,
      path: input,
      body: typeof init?.body === "string" ? (JSON.parse(init.body) as unknown) : null,
    });
    const answer = answers[`${method} ${path}`];
    if (answer === undefined) return Promise.reject(new TypeError(`no answer for ${method} ${path}`));
    if (answer === null) return Promise.resolve(new Response(null, { status: 204 }));
    const refused = typeof answer === "object" && "status" in answer && "error" in answer;
    const status = refused ? Number(answer.status) : 200;
    return Promise.resolve(new Response(JSON.stringify(answer), { status }));
  });
  return asked;
}
