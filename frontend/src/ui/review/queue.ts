/** The review queue: which shapes, in which order, and where one stands in it. */
import type { Annotation, AnnotationStatus } from "../../protocol/entities";

export const ORDERS = ["created", "-created", "score", "-area", "area", "-updated"] as const;
export type QueueOrder = (typeof ORDERS)[number];

export interface QueueFilter {
  readonly status: AnnotationStatus;
  readonly labelClass: string | null;
  readonly order: QueueOrder;
  /** Leave out what the reviewer made and may not decide on. */
  readonly othersOnly: boolean;
}

export const FIRST_FILTER: QueueFilter = { status: "submitted", labelClass: null, order: "created", othersOnly: false };

/** The next shape after `current` that still waits; wraps around; null when none waits. */
export function nextWaiting(
  queue: readonly Annotation[],
  current: string | null,
  waits: (annotation: Annotation) => boolean,
): string | null {
  const from = queue.findIndex((one) => one.id === current);
  for (let step = 1; step <= queue.length; step += 1) {
    const one = queue[(from + step) % queue.length];
    if (one !== undefined && one.id !== current && waits(one)) return one.id;
  }
  return null;
}

/** The neighbour of `current`, decided or not; stays at the ends. */
export function neighbour(queue: readonly Annotation[], current: string | null, by: 1 | -1): string | null {
  const from = queue.findIndex((one) => one.id === current);
  if (from < 0) return queue[0]?.id ?? null;
  return queue[Math.min(queue.length - 1, Math.max(0, from + by))]?.id ?? null;
}

/** How many of the queue are decided: no longer in the status it was made of. */
export function decidedCount(queue: readonly Annotation[], status: AnnotationStatus): number {
  return queue.filter((one) => one.deleted || one.status !== status).length;
}
