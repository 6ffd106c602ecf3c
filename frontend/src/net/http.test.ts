import { afterEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { ApiError, csrfToken, requestJson, requestNothing, withQuery } from "./http";

const shape = z.object({ name: z.string() });

function answer(status: number, body: unknown): void {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  vi.stubGlobal(
    "fetch",
    vi.fn(() => Promise.resolve(new Response(status === 204 ? null : text, { status }))),
  );
}

async function failureOf(promise: Promise<unknown>): Promise<ApiError> {
  const reason: unknown = await promise.then(
    () => null,
    (error: unknown) => error,
  );
  expect(reason).toBeInstanceOf(ApiError);
  return reason as ApiError;
}

afterEach(() => vi.unstubAllGlobals());

describe("a request", () => {
  it("returns the parsed answer", async () => {
    answer(200, { name: "Valley" });
    await expect(requestJson("GET", "/api/x", shape)).resolves.toEqual({ name: "Valley" });
  });

  it("carries the CSRF token of the cookie on writes and not on reads", async () => {
    document.cookie = "csrftoken=abc%3D1";
    answer(200, { name: "x" });
    await requestJson("POST", "/api/x", shape, { body: { a: 1 } });
    await requestJson("GET", "/api/x", shape);
    const headers = vi.mocked(fetch).mock.calls.map(([, init]) => new Headers(init?.headers));
    expect(headers.map((one) => one.get("X-CSRFToken"))).toEqual(["abc=1", null]);
    expect(vi.mocked(fetch).mock.calls[0]?.[1]?.body).toBe('{"a":1}');
  });

  it("fails with the server's code, message and field messages", async () => {
    answer(422, {
      error: {
        code: "class.invalid",
        message: "Correct the marked fields.",
        details: { fields: { name: ["Taken."] } },
      },
    });
    const error = await failureOf(requestJson("POST", "/api/x", shape));
    expect([error.code, error.message, error.status]).toEqual(["class.invalid", "Correct the marked fields.", 422]);
    expect(error.fields).toEqual({ name: "Taken." });
  });

  it("says that the server failed when the answer is not of its own making", async () => {
    answer(502, "<html>Bad gateway</html>");
    const error = await failureOf(requestNothing("DELETE", "/api/x"));
    expect(error.code).toBe("net.unexpected_answer");
    expect(error.message).toContain("502");
  });

  it("refuses an answer of another form", async () => {
    answer(200, { nom: "Valley" });
    const error = await failureOf(requestJson("GET", "/api/x", shape));
    expect(error.code).toBe("net.unexpected_answer");
    expect(error.details["at"]).toBe("name");
  });

  it("says that the server cannot be reached when there is no answer", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed")));
    const error = await failureOf(requestJson("GET", "/api/x", shape));
    expect([error.code, error.status]).toEqual(["net.unreachable", 0]);
  });

  it("goes again with a new token when the page's was old, and only once", async () => {
    const refused = { error: { code: "auth.csrf", message: "This page is out of date. Reload it." } };
    const asked: string[] = [];
    let patience = 1;
    vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
      asked.push(`${init.method ?? ""} ${path} ${new Headers(init.headers).get("X-CSRFToken") ?? ""}`.trim());
      if (path === "/api/session") document.cookie = "csrftoken=fresh";
      const old = init.method === "POST" && patience-- > 0;
      return Promise.resolve(new Response(JSON.stringify(old ? refused : { name: "x" }), { status: old ? 403 : 200 }));
    });
    document.cookie = "csrftoken=old";
    await expect(requestJson("POST", "/api/x", shape)).resolves.toEqual({ name: "x" });
    expect(asked).toEqual(["POST /api/x old", "GET /api/session", "POST /api/x fresh"]);
    patience = 2;
    expect((await failureOf(requestJson("POST", "/api/x", shape))).code).toBe("auth.csrf");
  });

  it("does not wait for ever: a time-out counts as no answer", async () => {
    vi.spyOn(AbortSignal, "timeout").mockReturnValue(AbortSignal.abort(new DOMException("late", "TimeoutError")));
    vi.stubGlobal("fetch", (_: string, init: RequestInit) => {
      init.signal?.throwIfAborted();
      return Promise.resolve(new Response("{}"));
    });
    const error = await failureOf(requestJson("GET", "/api/x", shape));
    expect(error.code).toBe("net.unreachable");
  });

  it("lets an abort through as an abort", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new DOMException("gone", "AbortError")));
    await expect(requestJson("GET", "/api/x", shape)).rejects.toHaveProperty("name", "AbortError");
  });
});

describe("a query string", () => {
  it("repeats lists, and leaves absent values out", () => {
    expect(withQuery("/a", { status: ["draft", "accepted"], raster: null, limit: 5, cursor: "" })).toBe(
      "/a?status=draft&status=accepted&limit=5",
    );
  });

  it("is no question mark when empty", () => {
    expect(withQuery("/a", {})).toBe("/a");
  });
});

describe("the CSRF token", () => {
  it("is found among other cookies, and empty without one", () => {
    expect(csrfToken("a=1; csrftoken=T0k; b=2")).toBe("T0k");
    expect(csrfToken("xcsrftoken=no")).toBe("");
  });
});
