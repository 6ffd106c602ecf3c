/** Lays what is told on the socket and may be lost into the state: jobs, windows, presence. Pure. */
import type { Job } from "../protocol/entities";
import type { Presence } from "../protocol/socket";
import type { State } from "./state";

interface WindowTold {
  readonly raster: string;
  readonly window: { readonly col: number; readonly row: number; readonly size: number };
  readonly state: string;
}

/** Jobs are newest first. */
export function withJob(state: State, job: Job): State {
  const jobs = [job, ...state.jobs.filter((one) => one.id !== job.id)];
  return { ...state, jobs: jobs.sort((a, b) => b.created_at.localeCompare(a.created_at)) };
}

export function withWindow(state: State, { raster, window, state: reached }: WindowTold): State {
  const { windows } = state;
  if (windows?.raster !== raster) return state;
  const list = windows.list.map((one) =>
    one.col === window.col && one.row === window.row && one.size === window.size ? { ...one, state: reached } : one,
  );
  return { ...state, windows: { ...windows, list } };
}

/** Where a page of somebody's is now; null when it was closed. */
export function withPresence(state: State, session: string, told: Presence | null): State {
  const others = state.presence.filter((one) => one.session !== session);
  return { ...state, presence: told === null ? others : [...others, told] };
}
