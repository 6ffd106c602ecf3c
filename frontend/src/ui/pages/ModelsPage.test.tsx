import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import type { InstalledModel, ModelsPage as Page, ModelWork, Worker } from "../../protocol/models";
import { exampleUser } from "../../protocol/examples";
import { serve } from "../testing/server";
import { show } from "../testing/show";
import { ModelsPage } from "./ModelsPage";

const admin = exampleUser({ is_staff: true });
const nano: InstalledModel = {
  name: "nano",
  hash: "ab".repeat(32),
  error: null,
  bytes: 26_000_000,
  architecture: "",
  encoders: ["onnx"],
  verified: null,
  default: true,
  by_default: 2,
  projects: [],
  embeddings: 12,
  embedding_bytes: 96_000_000,
  ours: false,
};
const tiny: InstalledModel = {
  ...nano,
  name: "tiny",
  hash: "cd".repeat(32),
  default: false,
  by_default: 0,
  ours: true,
};
const page: Page = {
  folder: "/data/models",
  free_bytes: 5e9,
  offline: false,
  mirror: "",
  missing: [],
  default: { name: "nano", from: "first", error: null },
  published: [
    {
      name: "sam2.1_hiera_large",
      bytes: 898_083_611,
      parameters: 224_446_642,
      address: "https://example.org/large.pt",
      sha256: "12".repeat(32),
      licence: "Apache-2.0",
      downloaded_bytes: 0,
    },
  ],
  installed: [nano, tiny],
  orphans: [],
  checkpoints: { folder: "/data/checkpoints", files: [] },
  jobs: [],
};
const job: ModelWork = {
  id: "00000000-0000-4000-8000-0000000000b1",
  kind: "models",
  project: null,
  raster: null,
  state: "running",
  total: 898_083,
  done: 449_041,
  failed: 0,
  skipped: 0,
  started_at: "2026-05-10T10:00:00Z",
  eta_seconds: 60,
  error: null,
  created_by: null,
  created_at: "2026-05-10T10:00:00Z",
  action: "install",
  model: "sam2.1_hiera_large",
  step: "Downloading sam2.1_hiera_large",
  result: null,
};

const card: Worker = {
  name: "gpu:7",
  lanes: ["bulk", "urgent"],
  seen_at: "2026-05-10T10:00:00Z",
  alive: true,
  can: {
    encoder: "torch-cuda",
    card: "NVIDIA L4",
    memory_mb: 24_576,
    models: ["nano", "tiny"],
    card_models: ["tiny"],
    why: "",
  },
};

function open(change: Partial<Page> = {}, answers: Readonly<Record<string, unknown>> = {}) {
  const asked = serve({ "GET /api/models": { ...page, ...change }, "GET /api/workers": { workers: [] }, ...answers });
  return { asked, ...show(<ModelsPage />, { user: admin }) };
}

describe("the page of models", () => {
  it("is for administrators, and asks the server nothing for others", () => {
    const asked = serve({});
    show(<ModelsPage />);
    expect(screen.getByTestId("models-admins-only")).toBeVisible();
    expect(asked).toEqual([]);
  });

  it("says who has a model and how much it takes", async () => {
    open();
    const row = await screen.findByTestId("installed-nano");
    expect(row).toHaveTextContent("2 projects by default");
    expect(row).toHaveTextContent("12 (96 MB)");
    expect(within(row).queryByTestId("remove-nano")).toBeNull();
    expect(within(row).queryByTestId("clear-nano")).toBeNull();
    expect(screen.getByTestId("clear-tiny")).toBeEnabled();
  });

  it("shows an installation's step, bytes and time left, and cancels it", async () => {
    const { asked, person } = open({ jobs: [job] }, { [`POST /api/jobs/${job.id}/cancel`]: job });
    const words = await screen.findByTestId("work-words");
    expect(words).toHaveTextContent("Downloading sam2.1_hiera_large · 449 MB of 898 MB");
    expect(screen.getByTestId("install-sam2.1_hiera_large")).toBeDisabled();
    await person.click(screen.getByTestId("work-cancel"));
    await waitFor(() => expect(asked.map((one) => one.path)).toContain(`/api/jobs/${job.id}/cancel`));
  });

  it("says why an installation failed, and tries again", async () => {
    const error = { code: "model.refused", message: "The file is cut short. Download it again." };
    open({ jobs: [{ ...job, state: "failed", error }] });
    expect(await screen.findByTestId("work-words")).toHaveTextContent("The file is cut short. Download it again.");
    expect(screen.getByTestId("work-retry")).toBeEnabled();
  });

  it("says what to do where downloads are forbidden or torch is missing, and offers no download", async () => {
    open({ offline: true, missing: ["torch"] });
    expect(await screen.findByTestId("models-offline")).toHaveTextContent("lay it into /data/checkpoints");
    expect(screen.getByTestId("models-missing")).toHaveTextContent("lacks torch");
    expect(screen.getByTestId("install-sam2.1_hiera_large")).toBeDisabled();
  });

  it("asks which model the projects get before theirs is removed", async () => {
    const projects = [{ id: "p", name: "Valley" }];
    const { asked, person } = open({ installed: [nano, { ...tiny, projects }] }, { "DELETE /api/models/tiny": null });
    await person.click(await screen.findByTestId("remove-tiny"));
    expect(await screen.findByText(/1 project has this model: Valley/)).toBeVisible();
    await person.click(screen.getByTestId("remove-confirm"));
    await waitFor(() => expect(asked.find((one) => one.method === "DELETE")?.body).toEqual({ move_to: "" }));
  });

  it("shows what a comparison with Meta's code has found", async () => {
    const verified = {
      at: "2026-05-10T10:00:00Z",
      passed: true,
      largest: 4.2e-6,
      bound: 1e-3,
      what: "",
      table: "",
      prompts: 200,
    };
    open({ installed: [nano, { ...tiny, verified }] });
    expect(await screen.findByTestId("verified-tiny")).toHaveTextContent(
      "Passed: 4.2e-6 of at most 1e-3 in 200 prompt sets",
    );
  });

  it("says what each worker serves and encodes with, and why not with what was asked for", async () => {
    const why = "There is no graphics card that torch can use. Set EDGEWISE_ENCODER=onnx.";
    const files: Worker = { ...card, name: "files:8", lanes: ["files"], alive: false, can: null };
    const failed: Worker = {
      ...card,
      name: "cpu:9",
      can: { encoder: "onnx", card: "", memory_mb: 16_000, models: ["nano"], card_models: [], why },
    };
    open({}, { "GET /api/workers": { workers: [card, files, failed] } });
    const row = await screen.findByTestId("worker-gpu:7");
    expect(row).toHaveTextContent("Works");
    expect(row).toHaveTextContent("whole rasters, clicks");
    expect(row).toHaveTextContent("torch, graphics card");
    expect(row).toHaveTextContent("NVIDIA L4, 24 GB");
    expect(row).toHaveTextContent("nano, tiny (on the card)");
    expect(screen.getByTestId("worker-files:8")).toHaveTextContent("Silent");
    expect(screen.getByTestId("worker-files:8")).not.toHaveTextContent("Encodes with");
    expect(screen.getByTestId("worker-cpu:9")).toHaveTextContent(why);
    expect(screen.queryByTestId("workers-none")).toBeNull();
  });

  it("says what to do where no worker lives", async () => {
    open({}, { "GET /api/workers": { workers: [{ ...card, alive: false }] } });
    expect(await screen.findByTestId("workers-none")).toHaveTextContent("Start one: manage.py work");
  });
});
