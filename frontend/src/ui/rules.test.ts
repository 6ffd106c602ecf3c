import { describe, expect, it } from "vitest";
import { luminance, readableOn, ACCEPT_COLOUR, RETURN_COLOUR } from "./colour";
import { crsCode } from "./data/crs";
import { pairFiles, roleOf, Speedometer, stemOf } from "./data/uploadRules";
import { initials } from "./parts/PersonDot";
import { safeNext } from "./safeNext";
import { scaleBar } from "./shell/scale";

describe("the address after signing in", () => {
  it("stays on this site", () => {
    expect(safeNext("/projects/1/map")).toBe("/projects/1/map");
    for (const evil of [null, "", "https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"]) {
      expect(safeNext(evil)).toBe("/");
    }
  });
});

describe("colours", () => {
  it("get black or white text, whichever contrasts more", () => {
    expect(readableOn("#ffd43b")).toBe("#000000");
    expect(readableOn("#084c5a")).toBe("#ffffff");
  });

  it.each([ACCEPT_COLOUR, RETURN_COLOUR])("white text on %s reaches AA", (ground) => {
    expect(1.05 / (luminance(ground) + 0.05)).toBeGreaterThanOrEqual(4.5);
  });
});

describe("a scale bar", () => {
  it("is the longest round length that fits", () => {
    expect(scaleBar(0.42)).toEqual({ metres: 20, pixels: 48 });
    expect(scaleBar(10)).toEqual({ metres: 500, pixels: 50 });
    expect(scaleBar(0.001)?.metres).toBeCloseTo(0.05);
  });

  it("is absent without a scale", () => {
    expect(scaleBar(0)).toBeNull();
    expect(scaleBar(Number.NaN)).toBeNull();
  });

  it("never exceeds its room", () => {
    for (let exponent = -4; exponent < 6; exponent += 0.37) {
      const bar = scaleBar(10 ** exponent, 96)!;
      expect(bar.pixels).toBeLessThanOrEqual(96);
      expect(bar.pixels).toBeGreaterThanOrEqual(38);
    }
  });
});

describe("files to upload", () => {
  const file = (name: string) => new File(["x"], name);

  it("are known by their ending", () => {
    expect(["a.tif", "B.TIFF", "a.tfw", "a.tif.aux.xml", "a.prj", "a.jpg", "tif"].map(roleOf)).toEqual([
      "raster",
      "raster",
      "sidecar",
      "sidecar",
      "sidecar",
      "other",
      "other",
    ]);
  });

  it("share a stem with their sidecars", () => {
    expect(["A.tif", "a.tfw", "dir/a.tif.aux.xml", "a.prj"].map(stemOf)).toEqual(["a", "a", "a", "a"]);
  });

  it("are paired; what belongs to nothing is left over", () => {
    const files = ["a.tif", "b.tif", "a.tfw", "c.prj", "photo.jpg"].map(file);
    const { rasters, looseSidecars, others } = pairFiles(files);
    expect(rasters.map((one) => [one.file.name, one.sidecars.map((side) => side.name)])).toEqual([
      ["a.tif", ["a.tfw"]],
      ["b.tif", []],
    ]);
    expect(looseSidecars.map((one) => one.name)).toEqual(["c.prj"]);
    expect(others.map((one) => one.name)).toEqual(["photo.jpg"]);
  });
});

describe("the time an upload still takes", () => {
  it("follows from the last samples, and is unknown at first and at a standstill", () => {
    const speed = new Speedometer();
    speed.add(0, 0);
    expect(speed.secondsFor(1000)).toBeNull();
    speed.add(1000, 1000);
    expect(speed.secondsFor(3000)).toBe(3);
    const still = new Speedometer();
    still.add(5, 0);
    still.add(5, 2000);
    expect(still.secondsFor(10)).toBeNull();
  });

  it("forgets what is long past", () => {
    const speed = new Speedometer(1000);
    speed.add(0, 0);
    speed.add(100_000, 1000);
    speed.add(100_100, 2500);
    speed.add(100_200, 3500);
    expect(speed.secondsFor(100)).toBeCloseTo(1);
  });
});

describe("a coordinate system as typed", () => {
  it("is an offered line, a bare number, or left alone", () => {
    expect(crsCode("EPSG:32632 – WGS 84 / UTM zone 32N")).toBe("EPSG:32632");
    expect(crsCode(" 2056 ")).toBe("EPSG:2056");
    expect(crsCode("+proj=laea +lat_0=52")).toBe("+proj=laea +lat_0=52");
  });
});

describe("initials", () => {
  it("are of the first and last word, whatever the script", () => {
    expect(["Mia Keller", "ada", "Jean Luc Picard", " ", "李 明"].map(initials)).toEqual([
      "MK",
      "A",
      "JP",
      "?",
      "李明",
    ]);
  });
});
