/** The English catalogue, put together from its parts. */
import { common } from "./en/common";
import { data } from "./en/data";
import { map } from "./en/map";
import { models } from "./en/models";
import { people } from "./en/people";
import { projects } from "./en/projects";

export const en = { ...common, ...people, ...projects, ...data, ...map, ...models } as const;
