/** Answers about models: those of a project, and the administrator's page. */
import { z } from "zod";
import { jobSchema } from "./entities";

const projectModelChoice = z.object({
  name: z.string(),
  hash: z.string(),
  architecture: z.string(),
  ready: z.number(),
  minutes: z.number(),
  megabytes: z.number(),
});

export const projectModelSchema = z.object({
  chosen: z.string(),
  default: z.string().nullable(),
  model: z.object({ name: z.string(), hash: z.string() }).nullable(),
  error: z.string().nullable(),
  encoded: z.number(),
  models: z.array(projectModelChoice),
});
export type ProjectModel = z.infer<typeof projectModelSchema>;
export type ModelChoice = z.infer<typeof projectModelChoice>;

const publishedSchema = z.object({
  name: z.string(),
  bytes: z.number(),
  parameters: z.number(),
  address: z.string(),
  sha256: z.string().nullable(),
  licence: z.string(),
  downloaded_bytes: z.number(),
});
export type PublishedModel = z.infer<typeof publishedSchema>;

const verifiedSchema = z.object({
  at: z.string(),
  passed: z.boolean(),
  largest: z.number().nullable(),
  bound: z.number().nullable(),
  what: z.string().nullable(),
  table: z.string(),
  prompts: z.number(),
});

const installedSchema = z.object({
  name: z.string(),
  hash: z.string().nullable(),
  error: z.string().nullable(),
  bytes: z.number(),
  architecture: z.string(),
  encoders: z.array(z.string()),
  verified: verifiedSchema.nullable(),
  default: z.boolean(),
  by_default: z.number(),
  projects: z.array(z.object({ id: z.string(), name: z.string() })),
  embeddings: z.number(),
  embedding_bytes: z.number(),
  ours: z.boolean(),
});
export type InstalledModel = z.infer<typeof installedSchema>;

export const modelWorkSchema = jobSchema.extend({
  action: z.enum(["install", "verify", "clear"]),
  model: z.string(),
  step: z.string().nullable(),
  result: z.unknown(),
});
export type ModelWork = z.infer<typeof modelWorkSchema>;

export const modelsPageSchema = z.object({
  folder: z.string(),
  free_bytes: z.number(),
  offline: z.boolean(),
  mirror: z.string(),
  missing: z.array(z.string()),
  default: z.object({
    name: z.string().nullable(),
    from: z.enum(["environment", "chosen", "first"]),
    error: z.string().nullable(),
  }),
  published: z.array(publishedSchema),
  installed: z.array(installedSchema),
  orphans: z.array(z.object({ hash: z.string(), embeddings: z.number(), embedding_bytes: z.number() })),
  checkpoints: z.object({
    folder: z.string(),
    files: z.array(z.object({ name: z.string(), bytes: z.number() })),
  }),
  jobs: z.array(modelWorkSchema),
});
export type ModelsPage = z.infer<typeof modelsPageSchema>;

const workerSchema = z.object({
  name: z.string(),
  lanes: z.array(z.enum(["bulk", "urgent", "files", "models"])),
  seen_at: z.string(),
  alive: z.boolean(),
  can: z
    .object({
      encoder: z.enum(["onnx", "onnx-cuda", "torch-cpu", "torch-cuda"]),
      card: z.string(),
      memory_mb: z.number(),
      models: z.array(z.string()),
      card_models: z.array(z.string()),
      why: z.string(),
    })
    .nullable(),
});
export const workersSchema = z.object({ workers: z.array(workerSchema) });
export type Worker = z.infer<typeof workerSchema>;
