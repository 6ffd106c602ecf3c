import { screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Raster } from "../../protocol/entities";
import { exampleClass, exampleJob, exampleRaster, exampleUser } from "../../protocol/examples";
import { reading, startReading } from "../testing/project";
import { serve } from "../testing/server";
import { show } from "../testing/show";
import { DataScreen } from "./DataScreen";

vi.mock("../project", async () => (await import("../testing/project")).standIn());

const project = exampleRaster().project;
const exportRow = {
  id: "00000000-0000-4000-8000-0000000000d1",
  format: "gpkg",
  crs: "EPSG:32632",
  filters: { label_class: [exampleClass().id], status: ["accepted"] },
  state: "done",
  total: 12,
  done: 12,
  size_bytes: 98304,
  filename: "valley.gpkg",
  created_by: { id: exampleUser().id, display_name: "Mia Keller" },
  created_at: "2026-05-10T10:00:00Z",
  error: null,
  job: null,
};

beforeEach(startReading);

function open(rasters: readonly Raster[], more: Record<string, unknown> = {}, path = "/") {
  Object.assign(reading, {
    useRasters: rasters,
    useJobs: [],
    useRole: "owner",
    useClasses: [exampleClass()],
    useMapExtent: null,
    ...more,
  });
  return show(<DataScreen projectId={project} />, { path });
}

describe("the rasters", () => {
  it("say how to begin when there is none", () => {
    open([]);
    expect(screen.getByTestId("rasters-empty")).toHaveTextContent("No rasters yet");
    expect(screen.getByTestId("raster-add")).toBeEnabled();
  });

  it("are not added by members without the role", () => {
    open([], { useRole: "annotator" });
    expect(screen.queryByTestId("raster-add")).toBeNull();
  });

  it("show what they are and how much is encoded", () => {
    open([exampleRaster()]);
    const card = screen.getByTestId(`raster-${exampleRaster().id}`);
    expect(card).toHaveTextContent("EPSG:32632");
    expect(card).toHaveTextContent(/20.cm/);
    expect(card).toHaveTextContent("12,288 × 9,216");
    expect(card).toHaveTextContent("40 / 80");
    expect(screen.getByTestId("raster-open")).toHaveAttribute(
      "href",
      `/projects/${project}/map?raster=${exampleRaster().id}`,
    );
  });

  it("keep a refused file with its reason, and take the coordinate system it lacks", async () => {
    const words = "This file has no coordinate system. Choose one, or upload its .tfw / .aux.xml beside it.";
    const refused = exampleRaster({
      state: "refused",
      crs: null,
      error: { code: "raster.no_crs", message: words, remedy: null },
    });
    const asked = serve({ [`POST /api/rasters/${refused.id}/crs`]: exampleRaster({ state: "inspecting" }) });
    const { person } = open([refused]);
    expect(screen.getByTestId("raster-refused")).toHaveTextContent(words);
    await person.click(screen.getByTestId("raster-choose-crs"));
    await person.type(await screen.findByTestId("crs-input"), "2193");
    await person.click(screen.getByTestId("crs-submit"));
    expect(asked.at(-1)?.body).toEqual({ crs: "EPSG:2193" });
  });

  it("are encoded after saying what it costs", async () => {
    const { id } = exampleRaster();
    const plan = encodePlan({ megabytes: 336, megabytes_per_km2: 58.1 });
    const asked = serve({
      [`GET /api/rasters/${id}/encode-plan`]: plan,
      [`POST /api/rasters/${id}/encode-jobs`]: exampleJob(),
    });
    const { person } = open([exampleRaster()]);
    await person.click(screen.getByTestId("raster-encode"));
    await waitFor(() => expect(screen.getByTestId("encode-plan")).toHaveTextContent(/40.*336.MB.*4.min/));
    expect(screen.getByText(/58.1.MB on disk for each km²/)).toBeVisible();
    expect(screen.queryByTestId("encode-too-large")).toBeNull();
    await person.click(screen.getByTestId("encode-start"));
    expect(asked.at(-1)).toMatchObject({ method: "POST", body: { stride: 896 } });
  });

  it("that are larger than what the server keeps are encoded in part, and that is said before", async () => {
    const { id } = exampleRaster();
    serve({ [`GET /api/rasters/${id}/encode-plan`]: encodePlan({ fits: 60 }) });
    const { person } = open([exampleRaster()]);
    await person.click(screen.getByTestId("raster-encode"));
    await waitFor(() => expect(screen.getByTestId("encode-too-large")).toHaveTextContent(/60 of these 80 windows/));
    expect(screen.getByTestId("encode-plan")).toHaveTextContent(/20/);
    expect(screen.getByTestId("encode-start")).toBeEnabled();
  });

  it("are not encoded twice at once", () => {
    open([exampleRaster()], { useJobs: [exampleJob()] });
    expect(screen.queryByTestId("raster-encode")).toBeNull();
    expect(screen.getByTestId(`raster-${exampleRaster().id}`)).toHaveTextContent("Encoding");
  });
});

describe("the exports", () => {
  it("say what each contains, and give the file", async () => {
    serve({ [`GET /api/projects/${project}/exports`]: { exports: [exportRow] } });
    open([], {}, "/?tab=exports");
    const row = await screen.findByTestId(`export-${exportRow.id}`);
    expect(row).toHaveTextContent("Building · Accepted");
    expect(row).toHaveTextContent("12 shapes");
    expect(screen.getByTestId("export-download")).toHaveAttribute("href", `/api/exports/${exportRow.id}/download`);
  });

  it("are asked for with format, system and filters", async () => {
    const asked = serve({
      [`GET /api/projects/${project}/exports`]: { exports: [] },
      [`POST /api/projects/${project}/exports`]: { ...exportRow, state: "queued" },
    });
    const { person } = open([], {}, "/?tab=exports");
    await screen.findByTestId("exports-empty");
    await person.click(screen.getByTestId("export-create"));
    await person.click(await screen.findByText("GeoPackage"));
    await person.clear(screen.getByTestId("export-crs"));
    await person.type(screen.getByTestId("export-crs"), "32632");
    await person.click(screen.getByTestId("export-submit"));
    expect(asked.find((one) => one.method === "POST")?.body).toEqual({
      format: "gpkg",
      crs: "EPSG:32632",
      filters: { label_class: [], status: [] },
    });
  });
});

function encodePlan(changes: Readonly<Record<string, number>>): unknown {
  const plan = { windows: 80, ready: 40, fits: 80, megabytes: 168, minutes: 4, model: "m" };
  return { ...plan, seconds_per_window: 6, megabytes_per_km2: 29, ...changes };
}
