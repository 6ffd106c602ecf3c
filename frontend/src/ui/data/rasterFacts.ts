/** What the cards derive from a raster and the jobs. */
import type { Job } from "../../protocol/entities";
import type { Raster } from "../../protocol/entities";

/** Percent of the plannable windows that are encoded; whole percents, 100 only when all are. */
export function encodeShare(raster: Raster): number {
  const { planned, ready, skipped } = raster.encode;
  const wanted = planned - skipped;
  if (wanted <= 0) return planned > 0 ? 100 : 0;
  return Math.floor((100 * Math.min(ready, wanted)) / wanted);
}

/** The running or waiting job on a raster. */
export function jobOf(jobs: readonly Job[], rasterId: string): Job | null {
  return jobs.find((job) => job.raster === rasterId && isActive(job)) ?? null;
}

export function isActive(job: Job): boolean {
  return job.state === "queued" || job.state === "running" || job.state === "cancelling";
}

/** Percent done, 0..100. */
export function jobShare(job: Job): number {
  if (job.total <= 0) return job.state === "done" ? 100 : 0;
  return Math.min(100, (100 * (job.done + job.failed + job.skipped)) / job.total);
}

export function thumbnailUrl(raster: Raster): string {
  return `/api/rasters/${raster.id}/thumbnail?v=${raster.version}`;
}
