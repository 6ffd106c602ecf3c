/** Answers of the calls that only panels make: accounts, projects, members, invitations, plans, exports. */
import { z } from "zod";

const id = z.uuid();
const time = z.iso.datetime({ offset: true });

export const ROLES = ["owner", "reviewer", "annotator", "viewer"] as const;
export const roleSchema = z.enum(ROLES);
export type Role = z.infer<typeof roleSchema>;

export const userSchema = z.object({
  id,
  username: z.string(),
  display_name: z.string(),
  is_staff: z.boolean(),
  colour: z.string(),
});
export type User = z.infer<typeof userSchema>;

export const sessionSchema = z.object({
  user: userSchema.nullable(),
  app: z.object({
    version: z.string(),
    demo: z.boolean(),
    demo_accounts: z.object({ usernames: z.array(z.string()), password: z.string() }).nullish(),
    open_signup: z.boolean(),
  }),
});
export type Session = z.infer<typeof sessionSchema>;

export const signedInSchema = z.object({ user: userSchema });

export const tokenSchema = z.object({
  id,
  name: z.string(),
  prefix: z.string(),
  created_at: time,
  last_used_at: time.nullable(),
  expires_at: time.nullable(),
});
export type Token = z.infer<typeof tokenSchema>;
export const tokensSchema = z.object({ tokens: z.array(tokenSchema) });
export const newTokenSchema = tokenSchema.extend({ secret: z.string() });

export const projectSchema = z.object({
  id,
  name: z.string(),
  description: z.string(),
  model: z.string(),
  role: roleSchema,
  created_at: time,
  event_seq: z.number(),
});
export type Project = z.infer<typeof projectSchema>;

const countsSchema = z.object({
  draft: z.number(),
  submitted: z.number(),
  accepted: z.number(),
  changes_requested: z.number(),
});
export const projectCardSchema = projectSchema.extend({ counts: countsSchema, raster_count: z.number() });
export type ProjectCard = z.infer<typeof projectCardSchema>;
export const projectCardsSchema = z.object({ projects: z.array(projectCardSchema) });

export const memberSchema = z.object({ user: userSchema, role: roleSchema, joined_at: time });
export type Member = z.infer<typeof memberSchema>;
export const membersSchema = z.object({ members: z.array(memberSchema) });

export const invitesSchema = z.object({
  invites: z.array(z.object({ id, role: roleSchema, expires_at: time })),
});
export const newInviteSchema = z.object({
  id,
  url: z.string(),
  token: z.string(),
  role: roleSchema,
  expires_at: time,
});
export const invitationSchema = z.object({
  project: z.object({ name: z.string() }),
  role: roleSchema,
  invited_by: z.object({ display_name: z.string() }),
  expires_at: time,
  needs_account: z.boolean(),
});
export const acceptedInviteSchema = z.object({ project_id: id });

export const folderSchema = z.object({
  enabled: z.boolean(),
  path: z.string(),
  folders: z.array(z.string()),
  files: z.array(z.object({ name: z.string(), size: z.number() })),
});

export const encodePlanSchema = z.object({
  windows: z.number(),
  ready: z.number(),
  megabytes: z.number(),
  minutes: z.number(),
  model: z.string().nullable(),
  seconds_per_window: z.number().nullable(),
  fits: z.number(),
  megabytes_per_km2: z.number(),
});

const statusSchema = z.enum(["draft", "submitted", "accepted", "changes_requested"]);
export type ExportFormat = "geojson" | "gpkg";
const exportFiltersSchema = z.object({
  label_class: z.array(z.string()).nullish(),
  status: z.array(statusSchema).nullish(),
  bbox: z.array(z.number()).nullish(),
  area: z.unknown().nullish(),
  raster: z.string().nullish(),
});
export type ExportFilters = z.infer<typeof exportFiltersSchema>;

export const exportSchema = z.object({
  id,
  format: z.enum(["geojson", "gpkg"]),
  crs: z.string(),
  filters: exportFiltersSchema,
  state: z.enum(["queued", "running", "cancelling", "cancelled", "failed", "done"]),
  total: z.number().nullable(),
  done: z.number(),
  size_bytes: z.number().nullable(),
  filename: z.string(),
  created_by: z.object({ id, display_name: z.string() }).nullable(),
  created_at: time,
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  job: id.nullable(),
});
export type Export = z.infer<typeof exportSchema>;
export const exportsSchema = z.object({ exports: z.array(exportSchema) });
