/** An open project in the test's hand: stands in for `../project`. */
import { vi } from "vitest";
import type * as project from "../project";
import type { Actions } from "../project";

type Hooks = { -readonly [Name in keyof typeof project]: (typeof project)[Name] };
type Reading = {
  [Name in keyof Hooks as Hooks[Name] extends () => unknown ? Name : never]: ReturnType<
    Extract<Hooks[Name], () => unknown>
  >;
};

/** What each hook returns; set before rendering. */
export const reading: Partial<Reading> = {};

/** Forgets what the test before said and asked. */
export function startReading(): void {
  for (const name of Object.keys(reading)) Reflect.deleteProperty(reading, name);
  for (const name of Object.keys(actions)) Reflect.deleteProperty(actions, name);
}

const made: Partial<Record<keyof Actions, ReturnType<typeof vi.fn>>> = {};
export const actions = new Proxy(made as Record<keyof Actions, ReturnType<typeof vi.fn>>, {
  get(_, name: keyof Actions) {
    made[name] ??= vi.fn();
    return made[name];
  },
});

/** The module that `vi.mock("../project", …)` returns. */
export function standIn(): Record<string, unknown> {
  return new Proxy(
    {},
    {
      get: (_, name: string) => {
        if (name === "useActions") return () => actions;
        if (!name.startsWith("use")) return undefined;
        return () => {
          if (name in reading) return reading[name as keyof Reading];
          throw new Error(`the test says nothing for ${name}`);
        };
      },
      has: () => true,
    },
  );
}
