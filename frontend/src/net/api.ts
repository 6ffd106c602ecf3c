/** Every HTTP call of the wire page, typed; answers are parsed at the door. */
import { z } from "zod";
import {
  annotationPageSchema,
  annotationSchema,
  eventPageSchema,
  fitSchema,
  jobSchema,
  labelClassSchema,
  outlinedAgainSchema,
  outlinePreviewSchema,
  rasterSchema,
  revisionSchema,
  windowsSchema,
  type Geometry,
  type OutlineRecipe,
} from "../protocol/entities";
import { modelsPageSchema, modelWorkSchema, projectModelSchema, workersSchema } from "../protocol/models";
import type { ClassForm, RasterChange } from "../protocol/requests";
import {
  acceptedInviteSchema,
  encodePlanSchema,
  exportSchema,
  exportsSchema,
  folderSchema,
  invitationSchema,
  invitesSchema,
  memberSchema,
  membersSchema,
  newInviteSchema,
  newTokenSchema,
  projectCardsSchema,
  projectSchema,
  sessionSchema,
  signedInSchema,
  tokensSchema,
  type ExportFilters,
  type ExportFormat,
  type Role,
} from "../protocol/rest";
import { requestJson, requestNothing, type RequestOptions } from "./http";

const seg = encodeURIComponent;

export const api = {
  session: {
    get: () => requestJson("GET", "/api/session", sessionSchema),
    signIn: (username: string, password: string) =>
      requestJson("POST", "/api/session", signedInSchema, { body: { username, password } }),
    signOut: () => requestNothing("DELETE", "/api/session"),
    changePassword: (old: string, fresh: string) =>
      requestNothing("POST", "/api/session/password", { body: { old, new: fresh } }),
  },
  tokens: {
    list: async () => (await requestJson("GET", "/api/tokens", tokensSchema)).tokens,
    create: (name: string, expiresDays: number | null) =>
      requestJson("POST", "/api/tokens", newTokenSchema, {
        body: expiresDays === null ? { name } : { name, expires_days: expiresDays },
      }),
    remove: (id: string) => requestNothing("DELETE", `/api/tokens/${seg(id)}`),
  },
  projects: {
    list: async () => (await requestJson("GET", "/api/projects", projectCardsSchema)).projects,
    create: (body: { readonly name: string; readonly description: string }) =>
      requestJson("POST", "/api/projects", projectSchema, { body }),
    get: (id: string) => requestJson("GET", `/api/projects/${seg(id)}`, projectSchema),
    change: (id: string, body: { readonly name?: string; readonly description?: string }) =>
      requestJson("PATCH", `/api/projects/${seg(id)}`, projectSchema, { body }),
    remove: (id: string, confirmName: string) =>
      requestNothing("DELETE", `/api/projects/${seg(id)}`, { body: { confirm_name: confirmName } }),
    events: (id: string, since: number, limit = 500, signal?: AbortSignal) =>
      requestJson("GET", `/api/projects/${seg(id)}/events`, eventPageSchema, withSignal({ since, limit }, signal)),
    jobs: async (id: string) => (await requestJson("GET", `/api/projects/${seg(id)}/jobs`, jobsSchema)).jobs,
  },
  models: {
    ofProject: (id: string) => requestJson("GET", `/api/projects/${seg(id)}/model`, projectModelSchema),
    choose: (id: string, name: string) =>
      requestJson("PUT", `/api/projects/${seg(id)}/model`, projectModelSchema, { body: { name } }),
    page: () => requestJson("GET", "/api/models", modelsPageSchema),
    install: (body: { readonly name: string; readonly checkpoint?: string; readonly own?: boolean }) =>
      requestJson("POST", "/api/models", modelWorkSchema, { body }),
    verify: (name: string) => requestJson("POST", `/api/models/${seg(name)}/verify`, modelWorkSchema),
    makeDefault: (name: string) => requestJson("POST", `/api/models/${seg(name)}/default`, modelsPageSchema),
    remove: (name: string, moveTo: string | null) =>
      requestNothing("DELETE", `/api/models/${seg(name)}`, { body: { move_to: moveTo } }),
    clear: (hash: string) => requestJson("DELETE", `/api/embeddings/${seg(hash)}`, modelWorkSchema),
  },
  workers: async () => (await requestJson("GET", "/api/workers", workersSchema)).workers,
  members: {
    list: async (project: string) =>
      (await requestJson("GET", `/api/projects/${seg(project)}/members`, membersSchema)).members,
    change: (project: string, user: string, role: Role) =>
      requestJson("PATCH", `/api/projects/${seg(project)}/members/${seg(user)}`, memberSchema, { body: { role } }),
    remove: (project: string, user: string) =>
      requestNothing("DELETE", `/api/projects/${seg(project)}/members/${seg(user)}`),
  },
  invites: {
    list: async (project: string) =>
      (await requestJson("GET", `/api/projects/${seg(project)}/invites`, invitesSchema)).invites,
    create: (project: string, role: Role) =>
      requestJson("POST", `/api/projects/${seg(project)}/invites`, newInviteSchema, { body: { role } }),
    remove: (project: string, id: string) =>
      requestNothing("DELETE", `/api/projects/${seg(project)}/invites/${seg(id)}`),
    get: (token: string) => requestJson("GET", `/api/invites/${seg(token)}`, invitationSchema),
    accept: (token: string, body: Readonly<Record<string, string>>) =>
      requestJson("POST", `/api/invites/${seg(token)}/accept`, acceptedInviteSchema, { body }),
  },
  classes: {
    list: async (project: string) =>
      (await requestJson("GET", `/api/projects/${seg(project)}/classes`, classesSchema)).classes,
    create: (project: string, body: ClassForm) =>
      requestJson("POST", `/api/projects/${seg(project)}/classes`, labelClassSchema, { body }),
    change: (project: string, id: string, body: Partial<ClassForm>) =>
      requestJson("PATCH", `/api/projects/${seg(project)}/classes/${seg(id)}`, labelClassSchema, { body }),
    remove: (project: string, id: string) =>
      requestNothing("DELETE", `/api/projects/${seg(project)}/classes/${seg(id)}`),
  },
  outlines: {
    /** What a recipe makes of a sample mask. */
    trySample: (project: string, recipe: OutlineRecipe, sample: string) =>
      requestJson("POST", `/api/projects/${seg(project)}/outlines`, outlinePreviewSchema, { body: { recipe, sample } }),
  },
  rasters: {
    list: async (project: string) =>
      (await requestJson("GET", `/api/projects/${seg(project)}/rasters`, rastersSchema)).rasters,
    get: (id: string) => requestJson("GET", `/api/rasters/${seg(id)}`, rasterSchema),
    folder: (project: string, path: string) =>
      requestJson("GET", `/api/projects/${seg(project)}/raster-folders`, folderSchema, { query: { path } }),
    register: (project: string, path: string) =>
      requestJson("POST", `/api/projects/${seg(project)}/rasters`, rasterSchema, { body: { path } }),
    change: (id: string, body: RasterChange) => requestJson("PATCH", `/api/rasters/${seg(id)}`, rasterSchema, { body }),
    remove: (id: string) => requestNothing("DELETE", `/api/rasters/${seg(id)}`),
    setCrs: (id: string, crs: string) =>
      requestJson("POST", `/api/rasters/${seg(id)}/crs`, rasterSchema, { body: { crs } }),
    retry: (id: string) => requestJson("POST", `/api/rasters/${seg(id)}/retry`, rasterSchema),
    windows: (id: string) => requestJson("GET", `/api/rasters/${seg(id)}/windows`, windowsSchema),
    encodePlan: (id: string, stride: number) =>
      requestJson("GET", `/api/rasters/${seg(id)}/encode-plan`, encodePlanSchema, { query: { stride } }),
    encode: (id: string, stride: number) =>
      requestJson("POST", `/api/rasters/${seg(id)}/encode-jobs`, jobSchema, { body: { stride } }),
  },
  jobs: {
    cancel: (id: string) => requestJson("POST", `/api/jobs/${seg(id)}/cancel`, jobSchema),
    retry: (id: string) => requestJson("POST", `/api/jobs/${seg(id)}/retry`, jobSchema),
  },
  annotations: {
    /** How a shape would be stored beside its neighbours. */
    fit: (project: string, labelClass: string, geometry: Geometry, signal?: AbortSignal) =>
      requestJson("POST", `/api/projects/${seg(project)}/fit`, fitSchema, {
        body: { label_class: labelClass, geometry },
        ...(signal === undefined ? {} : { signal }),
      }),
    /** How another recipe would draw the mask that a shape was clicked from; stores nothing. */
    outlineAgain: (id: string, recipe: OutlineRecipe, signal?: AbortSignal) =>
      requestJson("POST", `/api/annotations/${seg(id)}/outline`, outlinedAgainSchema, {
        body: { recipe },
        ...(signal === undefined ? {} : { signal }),
      }),
    list: (project: string, query: RequestOptions["query"], signal?: AbortSignal) =>
      requestJson("GET", `/api/projects/${seg(project)}/annotations`, annotationPageSchema, withSignal(query, signal)),
    get: (id: string) => requestJson("GET", `/api/annotations/${seg(id)}`, annotationSchema),
    put: (id: string, body: unknown) => requestJson("PUT", `/api/annotations/${seg(id)}`, annotationSchema, { body }),
    change: (id: string, body: unknown) =>
      requestJson("PATCH", `/api/annotations/${seg(id)}`, annotationSchema, { body }),
    remove: (id: string, body: unknown) =>
      requestJson("DELETE", `/api/annotations/${seg(id)}`, annotationSchema, { body }),
    restore: (id: string, body: unknown) =>
      requestJson("POST", `/api/annotations/${seg(id)}/restore`, annotationSchema, { body }),
    setStatus: (id: string, body: unknown) =>
      requestJson("POST", `/api/annotations/${seg(id)}/status`, annotationSchema, { body }),
    revisions: async (id: string) =>
      (await requestJson("GET", `/api/annotations/${seg(id)}/revisions`, revisionsSchema)).revisions,
  },
  exports: {
    list: async (project: string) =>
      (await requestJson("GET", `/api/projects/${seg(project)}/exports`, exportsSchema)).exports,
    create: (
      project: string,
      body: { readonly format: ExportFormat; readonly crs: string; readonly filters: ExportFilters },
    ) => requestJson("POST", `/api/projects/${seg(project)}/exports`, exportSchema, { body }),
    remove: (id: string) => requestNothing("DELETE", `/api/exports/${seg(id)}`),
  },
} as const;

const jobsSchema = z.object({ jobs: z.array(jobSchema) });
const classesSchema = z.object({ classes: z.array(labelClassSchema) });
const rastersSchema = z.object({ rasters: z.array(rasterSchema) });
const revisionsSchema = z.object({ revisions: z.array(revisionSchema) });

function withSignal(query: RequestOptions["query"], signal: AbortSignal | undefined): RequestOptions {
  return { ...(query === undefined ? {} : { query }), ...(signal === undefined ? {} : { signal }) };
}
