/** Reads all of a project that the map screen works with. */
import { api } from "../net/api";
import type { Annotation } from "../protocol/entities";
import type { State } from "../store/state";

const PAGE = 2000;

export type Loaded = Pick<State, "role" | "seq" | "classes" | "rasters" | "jobs" | "members" | "confirmed"> & {
  readonly me: NonNullable<State["me"]>;
};

/** The project as it is now, or null for somebody who is not signed in. */
export async function loadProject(projectId: string): Promise<Loaded | null> {
  // The number comes first: what changes while the rest is read is then told once more as an event, never missed.
  const [{ user }, { role, event_seq }] = await Promise.all([api.session.get(), api.projects.get(projectId)]);
  if (user === null) return null;
  const [classes, rasters, jobs, members, confirmed] = await Promise.all([
    api.classes.list(projectId),
    api.rasters.list(projectId),
    api.projects.jobs(projectId),
    api.members.list(projectId),
    allAnnotations(projectId),
  ]);
  return { me: user, role, seq: event_seq, classes, rasters, jobs, members, confirmed };
}

async function allAnnotations(project: string): Promise<ReadonlyMap<string, Annotation>> {
  const found = new Map<string, Annotation>();
  let cursor: string | null = "";
  while (cursor !== null) {
    const page = await api.annotations.list(project, { limit: PAGE, cursor });
    for (const one of page.annotations) found.set(one.id, one);
    cursor = page.next_cursor;
  }
  return found;
}
