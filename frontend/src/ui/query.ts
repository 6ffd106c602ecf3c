/** Server data the open project's store does not hold, cached by key. */
import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiError } from "../net/http";
import type { OutlineRecipe } from "../protocol/entities";

export const keys = {
  session: ["session"],
  projects: ["projects"],
  project: (id: string) => ["project", id],
  classes: (id: string) => ["project", id, "classes"],
  outline: (id: string, recipe: OutlineRecipe, sample: string) => ["project", id, "outline", recipe, sample],
  outlinedAgain: (annotationId: string, version: number, recipe: OutlineRecipe) => [
    "annotation",
    annotationId,
    "outline",
    version,
    recipe,
  ],
  stats: (id: string) => ["project", id, "stats"],
  members: (id: string) => ["project", id, "members"],
  invites: (id: string) => ["project", id, "invites"],
  events: (id: string) => ["project", id, "events"],
  model: (id: string) => ["project", id, "model"],
  models: ["models"],
  workers: ["workers"],
  exports: (id: string) => ["project", id, "exports"],
  folders: (id: string, path: string) => ["project", id, "folders", path],
  encodePlan: (rasterId: string, stride: number) => ["raster", rasterId, "plan", stride],
  revisions: (annotationId: string, version: number) => ["annotation", annotationId, "revisions", version],
  tokens: ["tokens"],
  invite: (token: string) => ["invite", token],
} as const;

export function createQueryClient(): QueryClient {
  const signedOut = (error: unknown) => {
    if (error instanceof ApiError && error.code === "auth.required") {
      void client.invalidateQueries({ queryKey: keys.session });
    }
  };
  const client = new QueryClient({
    queryCache: new QueryCache({ onError: signedOut }),
    mutationCache: new MutationCache({ onError: signedOut }),
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        retry: (failures, error) => failures < 2 && (!(error instanceof ApiError) || error.status === 0),
      },
    },
  });
  return client;
}
