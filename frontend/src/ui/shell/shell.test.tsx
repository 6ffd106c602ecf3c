import { screen } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { ConflictDialog } from "../dialogs/ConflictDialog";
import { LayersPanel } from "../panel/LayersPanel";
import { exampleAnnotation, exampleClass, exampleJob, exampleRaster, exampleRecipe } from "../../protocol/examples";
import { actions, reading, startReading } from "../testing/project";
import { serve } from "../testing/server";
import { show } from "../testing/show";
import { DraftShape } from "./DraftShape";
import { JobsMenu } from "./JobsMenu";
import { StatusBar } from "./StatusBar";
import { ToolRail } from "./ToolRail";

vi.mock("../project", async () => (await import("../testing/project")).standIn());

beforeEach(startReading);

describe("the jobs menu", () => {
  it("shows progress and time to go, and cancels", async () => {
    Object.assign(reading, { useJobs: [exampleJob()], useRasters: [exampleRaster()], useCanWork: true });
    const asked = serve({ [`POST /api/jobs/${exampleJob().id}/cancel`]: exampleJob({ state: "cancelling" }) });
    const { person } = show(<JobsMenu />);
    await person.click(screen.getByTestId("jobs-menu"));
    const row = await screen.findByTestId(`job-${exampleJob().id}`);
    expect(row).toHaveTextContent("Encode: valley.tif");
    expect(row).toHaveTextContent("45 of 100 windows · 15 empty · 5 failed");
    expect(row).toHaveTextContent(/4.min left/);
    await person.click(screen.getByTestId("job-cancel"));
    expect(asked).toHaveLength(1);
  });

  it("shows why a job failed, and retries it", async () => {
    const failed = exampleJob({ state: "failed", error: { code: "disk.full", message: "The disk is full." } });
    Object.assign(reading, { useJobs: [failed], useRasters: [], useCanWork: true });
    const { person } = show(<JobsMenu />);
    await person.click(screen.getByTestId("jobs-menu"));
    expect(await screen.findByTestId(`job-${failed.id}`)).toHaveTextContent("The disk is full.");
    expect(screen.getByTestId("job-retry")).toBeEnabled();
  });

  it("offers no cancel to who may not", async () => {
    Object.assign(reading, { useJobs: [exampleJob()], useRasters: [], useCanWork: false });
    const { person } = show(<JobsMenu />);
    await person.click(screen.getByTestId("jobs-menu"));
    await screen.findByTestId(`job-${exampleJob().id}`);
    expect(screen.queryByTestId("job-cancel")).toBeNull();
  });
});

describe("the tool rail", () => {
  it("marks the active tool, and chooses another", async () => {
    Object.assign(reading, {
      useTool: "select",
      useToolAvailable: (name: string) => name !== "line",
      useHistory: { canUndo: true, canRedo: false },
    });
    const { person } = show(<ToolRail />);
    expect(screen.getByTestId("tool-select")).toHaveAttribute("aria-pressed", "true");
    expect(screen.getByTestId("tool-line")).toBeDisabled();
    expect(screen.getByTestId("redo")).toBeDisabled();
    await person.click(screen.getByTestId("tool-click"));
    await person.click(screen.getByTestId("undo"));
    expect(actions.chooseTool).toHaveBeenCalledExactlyOnceWith("click");
    expect(actions.undo).toHaveBeenCalledOnce();
  });
});

describe("the status bar", () => {
  const facts = { cursor: [7.5, -46.25], zoom: 17.44, metresPerPixel: 0.42, extent: [0, 0, 1, 1] } as const;
  const raster = exampleRaster();

  it("says what comes next, where one is, and that work is saved", () => {
    Object.assign(reading, {
      useHint: "Click an object",
      useActiveRaster: raster,
      useMapFacts: facts,
      useSaveState: { waiting: 0, failed: 0 },
      useConnection: "open",
    });
    show(<StatusBar />);
    expect(screen.getByTestId("status-hint")).toHaveTextContent("Click an object");
    expect(screen.getByTestId("coordinates")).toHaveTextContent("−46.25000, 7.50000");
    expect(screen.getByTestId("scale-bar")).toHaveTextContent(/20.m/);
    expect(screen.getByTestId("status-bar")).toHaveTextContent("EPSG:32632");
    expect(screen.getByTestId("save-state")).toHaveTextContent("Saved");
  });

  it.each([
    [{ waiting: 2, failed: 0 }, "open", "Saving 2"],
    [{ waiting: 2, failed: 0 }, "lost", "2 to save"],
    [{ waiting: 1, failed: 1 }, "open", "1 not saved"],
  ] as const)("with %o while %s says %s", (save, connection, words) => {
    Object.assign(reading, {
      useHint: "",
      useActiveRaster: null,
      useMapFacts: null,
      useSaveState: save,
      useConnection: connection,
    });
    show(<StatusBar />);
    expect(screen.getByTestId("save-state")).toHaveTextContent(words);
  });
});

describe("the shape of the draft", () => {
  const line = { type: "LineString", coordinates: [[0, 0], [1, 1], [2, 0]] } as const; // prettier-ignore
  const field = { type: "Polygon", coordinates: [[[0, 0], [1, 1], [2, 0], [0, 0]]] } as const; // prettier-ignore

  it.each([
    [line, 1, "Joins 1 line"],
    [line, 2, "Joins 2 lines"],
    [field, 1, "Fitted to 1 neighbour"],
  ])("of %o beside %i says %s", async (geometry, neighbours, words) => {
    const candidates = [{ geometry, score: 1, area_m2: 0, index: 0 }];
    Object.assign(reading, {
      useDraft: { candidates, chosen: 0, shaping: null, fit: { geometry, neighbours, problem: null } },
      useShaping: { recipe: exampleRecipe(), level: 0, forms: false },
    });
    const { person } = show(<DraftShape />);
    await person.click(screen.getByTestId("draft-shape"));
    expect(await screen.findByTestId("draft-fits")).toHaveTextContent(words);
  });
});

describe("the layers", () => {
  it("are hidden, moved and zoomed to", async () => {
    const other = exampleRaster({ id: "r2", name: "second.tif" });
    Object.assign(reading, {
      useLayers: [
        { raster: exampleRaster(), visible: true, opacity: 1 },
        { raster: other, visible: false, opacity: 0.5 },
      ],
    });
    const { person } = show(<LayersPanel />);
    await person.click(screen.getByRole("button", { name: "Hide valley.tif" }));
    expect(actions.setLayerVisible).toHaveBeenCalledExactlyOnceWith(exampleRaster().id, false);
    await person.click(screen.getByRole("button", { name: "Move second.tif up" }));
    expect(actions.moveLayer).toHaveBeenCalledExactlyOnceWith("r2", -1);
    expect(screen.getByRole("button", { name: "Move valley.tif up" })).toBeDisabled();
    await person.click(screen.getByRole("button", { name: "Zoom to second.tif" }));
    expect(actions.zoomToRaster).toHaveBeenCalledExactlyOnceWith("r2");
  });
});

describe("a conflict", () => {
  const mine = exampleAnnotation();
  const theirs = exampleAnnotation({ version: 2, attributes: { roof: "flat" } });

  it("shows both versions and keeps the one chosen", async () => {
    Object.assign(reading, { useConflict: { id: mine.id, mine, theirs }, useClasses: [exampleClass()] });
    const { person } = show(<ConflictDialog />);
    expect(await screen.findByTestId("conflict-dialog")).toHaveTextContent("Different: attributes.");
    expect(screen.getByTestId("conflict-dialog")).toHaveTextContent("roof: flat");
    await person.click(screen.getByTestId("conflict-theirs"));
    expect(actions.resolveConflict).toHaveBeenCalledExactlyOnceWith("theirs");
  });

  it("with a deletion lets only the deletion stand", async () => {
    Object.assign(reading, {
      useConflict: { id: mine.id, mine, theirs: { ...theirs, deleted: true } },
      useClasses: [exampleClass()],
    });
    show(<ConflictDialog />);
    await screen.findByTestId("conflict-dialog");
    expect(screen.getByTestId("conflict-mine")).toBeDisabled();
  });
});
