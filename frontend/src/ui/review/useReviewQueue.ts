/** The shapes to review: asked once per filter, kept current from the store. */
import { useQuery } from "@tanstack/react-query";
import { api } from "../../net/api";
import type { Annotation } from "../../protocol/entities";
import { useAnnotations } from "../project";
import type { QueueFilter } from "./queue";

const MOST = 500;

interface ReviewQueue {
  readonly queue: readonly Annotation[];
  readonly total: number;
  readonly loading: boolean;
  readonly error: Error | null;
  readonly refetch: () => void;
}

export function useReviewQueue(projectId: string, filter: QueueFilter, me: string): ReviewQueue {
  const live = useAnnotations();
  const page = useQuery({
    queryKey: ["project", projectId, "review", filter.status, filter.labelClass, filter.order],
    queryFn: ({ signal }) =>
      api.annotations.list(
        projectId,
        { status: [filter.status], label_class: filter.labelClass, order: filter.order, limit: MOST },
        signal,
      ),
    // The queue stays as it was while one works through it; new work comes with a new look.
    staleTime: Infinity,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  const listed = page.data?.annotations ?? [];
  const queue = listed
    .map((one) => live.get(one.id) ?? one)
    .filter((one) => !one.deleted && (!filter.othersOnly || one.author?.id !== me));
  return {
    queue,
    total: filter.othersOnly ? queue.length : (page.data?.total ?? 0),
    loading: page.isPending,
    error: page.error,
    refetch: () => void page.refetch(),
  };
}
