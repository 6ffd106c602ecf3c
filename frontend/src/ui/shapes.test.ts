import { describe, expect, it } from "vitest";
import { encodeShare, jobOf, jobShare } from "./data/rasterFacts";
import { differences } from "./dialogs/differences";
import { permissions } from "./panel/permissions";
import { revisionChange } from "./panel/revisions";
import { outline } from "./parts/outline";
import { decidedCount, neighbour, nextWaiting } from "./review/queue";
import { reasonText } from "./review/reasons";
import { attributeKey, freeDigits, unfinishedAttributes } from "./settings/classForm";
import { exampleAnnotation, exampleClass, exampleJob, exampleRaster, exampleRevision } from "../protocol/examples";

const author = exampleAnnotation().author!.id;
const other = "00000000-0000-4000-8000-0000000000a9";

describe("what a member may do with a shape", () => {
  it("an author never accepts own work, whatever the role", () => {
    for (const role of ["owner", "reviewer", "annotator", "viewer"] as const) {
      expect(permissions(exampleAnnotation({ status: "submitted" }), author, role).accept).toBe(false);
    }
    expect(permissions(exampleAnnotation(), author, "reviewer").ownReview).toBe(true);
  });

  it("a reviewer accepts and returns the submitted work of others", () => {
    const may = permissions(exampleAnnotation({ status: "submitted" }), other, "reviewer");
    expect(may).toMatchObject({ accept: true, giveBack: true, edit: true, submit: false, takeBack: false });
  });

  it("an annotator edits own work and drafts of others, nothing accepted", () => {
    const edit = (status: "draft" | "submitted" | "accepted", who: string) =>
      permissions(exampleAnnotation({ status }), who, "annotator").edit;
    expect([
      edit("submitted", author),
      edit("draft", other),
      edit("submitted", other),
      edit("accepted", author),
    ]).toEqual([true, true, false, false]);
  });

  it("a viewer does nothing", () => {
    expect(Object.values(permissions(exampleAnnotation({ status: "draft" }), author, "viewer"))).not.toContain(true);
  });
});

describe("the review queue", () => {
  const queue = ["a", "b", "c", "d"].map((id, index) =>
    exampleAnnotation({ id, status: index === 1 ? "accepted" : "submitted" }),
  );
  const waits = (one: { status: string }) => one.status === "submitted";

  it("goes on to the next that waits, past decided ones, and around the end", () => {
    expect(nextWaiting(queue, "a", waits)).toBe("c");
    expect(nextWaiting(queue, "d", waits)).toBe("a");
    expect(nextWaiting(queue, null, waits)).toBe("a");
  });

  it("ends when nothing else waits", () => {
    expect(nextWaiting([queue[1]!], null, waits)).toBeNull();
    expect(nextWaiting([queue[0]!], "a", waits)).toBeNull();
  });

  it("steps to neighbours and stays at its ends", () => {
    expect(neighbour(queue, "b", 1)).toBe("c");
    expect(neighbour(queue, "a", -1)).toBe("a");
    expect(neighbour(queue, "d", 1)).toBe("d");
    expect(neighbour([], null, 1)).toBeNull();
  });

  it("counts what has left its status", () => {
    expect(decidedCount(queue, "submitted")).toBe(1);
  });
});

describe("the comment of a return", () => {
  it("joins reason and words", () => {
    expect(reasonText("split", " two roofs ")).toBe("Split it: two roofs");
    expect(reasonText("split", "")).toBe("Split it");
    expect(reasonText(null, "")).toBe("");
    expect(reasonText("no such", "x")).toBe("x");
  });
});

describe("a revision", () => {
  const first = exampleRevision({ status: "draft" });
  it.each([
    ["created", first, null],
    ["submitted", exampleRevision({ status: "submitted" }), first],
    ["returned", exampleRevision({ status: "changes_requested" }), first],
    ["takenBack", exampleRevision({ status: "draft" }), exampleRevision({ status: "submitted" })],
    ["reclassed", { ...first, label_class: other }, first],
    ["described", { ...first, attributes: { roof: "flat" } }, first],
    ["reshaped", { ...first, geometry: { type: "Point" as const, coordinates: [7, 46] } }, first],
    ["deleted", { ...first, kind: "deleted" }, first],
  ])("is told as %s", (words, revision, before) => {
    expect(revisionChange(revision, before)).toBe(words);
  });
});

describe("two versions of a shape", () => {
  it("differ where they differ", () => {
    const mine = exampleAnnotation();
    expect(differences(mine, mine)).toEqual([]);
    expect(differences(mine, { ...mine, attributes: { a: 1 }, status: "draft" })).toEqual(["attributes", "status"]);
  });
});

describe("an outline", () => {
  it("stays inside its square, north up", () => {
    const { path } = outline(exampleAnnotation().geometry, 40);
    const numbers = [...path.matchAll(/[\d.]+/g)].map(Number);
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(3);
    expect(Math.max(...numbers)).toBeLessThanOrEqual(37);
    const [, southY, , , , northY] = numbers;
    expect(northY).toBeLessThan(southY!);
  });

  it("of a point is a point", () => {
    expect(outline({ type: "Point", coordinates: [7, 46] }, 40)).toEqual({ path: "", point: [20, 20] });
  });
});

describe("progress", () => {
  it("of encoding leaves skipped windows out, and is whole only when all are ready", () => {
    expect(encodeShare(exampleRaster())).toBe(50);
    const almost = { planned: 1000, ready: 999, failed: 0, skipped: 0, model: null };
    expect(encodeShare(exampleRaster({ encode: almost }))).toBe(99);
    expect(encodeShare(exampleRaster({ encode: { ...almost, ready: 1000 } }))).toBe(100);
    expect(encodeShare(exampleRaster({ encode: { ...almost, planned: 0, ready: 0 } }))).toBe(0);
  });

  it("of a job counts failed and skipped steps as passed", () => {
    expect(jobShare(exampleJob())).toBe(50);
    expect(jobShare(exampleJob({ total: 0 }))).toBe(0);
  });

  it("belongs to the raster of an active job", () => {
    const raster = exampleRaster().id;
    expect(jobOf([exampleJob({ state: "done" }), exampleJob({ state: "queued" })], raster)?.state).toBe("queued");
    expect(jobOf([exampleJob({ state: "failed" })], raster)).toBeNull();
  });
});

describe("the class form", () => {
  it("offers digits that are free, its own included", () => {
    const others = [exampleClass(), exampleClass({ id: other, digit: 3 })];
    expect(freeDigits(others, null)).toEqual([2, 4, 5, 6, 7, 8, 9]);
    expect(freeDigits(others, other)).toContain(3);
  });

  it("makes keys from labels, apart from those taken", () => {
    expect(attributeKey("Roof type", [])).toBe("roof_type");
    expect(attributeKey("Größe (m)", [])).toBe("gro_e_m");
    expect(attributeKey("Roof", ["roof", "roof_2"])).toBe("roof_3");
    expect(attributeKey("屋根", [])).toBe("attribute");
    expect(attributeKey("3 storeys", [])).toBe("storeys");
  });

  it("waits for labels and choices", () => {
    const attribute = { key: "a", label: "A", type: "text" as const, required: false };
    expect(
      unfinishedAttributes([attribute, { ...attribute, label: " " }, { ...attribute, type: "choice", choices: [] }]),
    ).toEqual([1, 2]);
  });
});
