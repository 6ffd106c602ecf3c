import { describe, expect, it } from "vitest";
import type { Geometry } from "./geometry";
import { bboxOf, type LonLat } from "./lonlat";
import { crossesItself } from "./crossing";
import { areaOf, lengthOf, shorterSideOf } from "./measure";
import { decodeLine } from "./polyline";
import {
  edgesOf,
  insertVertex,
  lineOf,
  moveVertex,
  partsOf,
  polygonOf,
  positionsOf,
  removeVertex,
  sameGeometry,
  translate,
  verticesOf,
} from "./shapes";

/** The published algorithm, written the other way round. */
function encodeLine(line: readonly LonLat[]): string {
  let text = "";
  let before: readonly [number, number] = [0, 0];
  for (const [lon, lat] of line) {
    const now = [Math.round(lon * 1e8), Math.round(lat * 1e8)] as const;
    for (const difference of [now[0] - before[0], now[1] - before[1]]) {
      let value = difference < 0 ? -2 * difference - 1 : 2 * difference;
      while (value >= 32) {
        text += String.fromCharCode((value % 32) + 32 + 63);
        value = Math.floor(value / 32);
      }
      text += String.fromCharCode(value + 63);
    }
    before = now;
  }
  return text;
}

const square: Geometry = polygonOf([
  [7, 46],
  [8, 46],
  [8, 47],
  [7, 47],
]);
const path = (index: number, ring = 0, part = 0) => ({ part, ring, index });

describe("an encoded line", () => {
  it("decodes to what was encoded, over the whole earth", () => {
    let seed = 7;
    const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
    for (let round = 0; round < 200; round += 1) {
      const line = Array.from({ length: 5 }, (): LonLat => [random() * 360 - 180, random() * 180 - 90]);
      const decoded = decodeLine(encodeLine(line), 8);
      decoded.forEach(([lon, lat], index) => {
        expect(Math.abs(lon - line[index]![0])).toBeLessThanOrEqual(0.5e-8 + 1e-12);
        expect(Math.abs(lat - line[index]![1])).toBeLessThanOrEqual(0.5e-8 + 1e-12);
      });
      expect(decoded).toHaveLength(5);
    }
  });

  it("is in the letters of the published algorithm: 1 is A, -1 is @, 16 needs two", () => {
    expect(decodeLine("", 8)).toEqual([]);
    expect(decodeLine("A@", 8)).toEqual([[1e-8, -1e-8]]);
    expect(decodeLine("_@?", 8)).toEqual([[16e-8, 0]]);
  });

  it("that is cut off is an error", () => {
    expect(() => decodeLine(encodeLine([[7.123, 46.5]]).slice(0, -1), 8)).toThrow(RangeError);
  });
});

describe("a polygon's vertices", () => {
  it("leave the closing position out, and come back closed", () => {
    expect(partsOf(square)[0]?.[0]).toHaveLength(4);
    expect(square.type === "Polygon" && square.coordinates[0]).toHaveLength(5);
    expect(edgesOf(square)).toHaveLength(4);
    expect(edgesOf(square).at(-1)).toMatchObject({ from: [7, 47], to: [7, 46] });
  });

  it("are moved, the first one with its closing twin", () => {
    const moved = moveVertex(square, path(0), [6.5, 45.5]);
    expect(moved.type === "Polygon" && [moved.coordinates[0]![0], moved.coordinates[0]![4]]).toEqual([
      [6.5, 45.5],
      [6.5, 45.5],
    ]);
    expect(positionsOf(square)[0]).toEqual([7, 46]);
  });

  it("are added after the one named, the closing edge included", () => {
    expect(positionsOf(insertVertex(square, path(3), [6.9, 46.5])).at(-1)).toEqual([6.9, 46.5]);
    expect(positionsOf(insertVertex(square, path(0), [7.5, 46])).at(1)).toEqual([7.5, 46]);
  });

  it("are taken away until a triangle is left", () => {
    const triangle = removeVertex(square, path(2))!;
    expect(verticesOf(triangle)).toHaveLength(3);
    expect(removeVertex(triangle, path(0))).toBeNull();
  });

  it("of holes and parts are their own", () => {
    const hole = [
      [7.2, 46.2],
      [7.4, 46.2],
      [7.4, 46.4],
      [7.2, 46.2],
    ];
    const outer = square.type === "Polygon" ? square.coordinates[0]! : [];
    const multi: Geometry = { type: "MultiPolygon", coordinates: [[outer, hole], [outer]] };
    const moved = moveVertex(multi, path(1, 1, 0), [7.5, 46.25]);
    expect(moved.type === "MultiPolygon" && moved.coordinates[0]![1]![1]).toEqual([7.5, 46.25]);
    expect(moved.type === "MultiPolygon" && moved.coordinates[1]).toEqual(multi.coordinates[1]);
  });
});

describe("a line", () => {
  const line = lineOf([
    [7, 46],
    [8, 47],
  ]);
  it("is not closed, and keeps its two ends", () => {
    expect(line).toEqual({
      type: "LineString",
      coordinates: [
        [7, 46],
        [8, 47],
      ],
    });
    expect(edgesOf(line)).toHaveLength(1);
    expect(removeVertex(line, path(0))).toBeNull();
  });
});

describe("moving a whole shape", () => {
  it("there and back is where it was", () => {
    const there = translate(square, [0.25, -0.5]);
    expect(positionsOf(there)[0]).toEqual([7.25, 45.5]);
    expect(translate(there, [-0.25, 0.5])).toEqual(square);
  });

  it("keeps a point a point", () => {
    expect(translate({ type: "Point", coordinates: [7, 46] }, [1, 1])).toEqual({ type: "Point", coordinates: [8, 47] });
  });
});

describe("a bounding box", () => {
  it("holds all points, and is absent without any", () => {
    expect(bboxOf(positionsOf(square))).toEqual([7, 46, 8, 47]);
    expect(bboxOf([])).toBeNull();
  });
});

describe("an outline", () => {
  const ring = (...points: LonLat[]) => polygonOf(points);

  it("that crosses itself is found, also where it is only a spike", () => {
    expect(crossesItself(ring([0, 0], [1, 1], [1, 0], [0, 1]))).toBe(true);
    expect(crossesItself(ring([0, 0], [2, 0], [2, 2], [2, 1], [2, 2.5], [0, 2]))).toBe(true);
  });

  it("that is simple is not, however it bends", () => {
    expect(crossesItself(square)).toBe(false);
    expect(crossesItself(ring([0, 0], [4, 0], [4, 4], [3, 4], [3, 1], [1, 1], [1, 4], [0, 4]))).toBe(false);
    expect(crossesItself(ring([0, 0], [2, 0], [4, 0], [4, 4], [0, 4]))).toBe(false);
  });

  it("that cuts its own hole is found", () => {
    const outer = square.type === "Polygon" ? square.coordinates[0]! : [];
    const inside = [
      [7.2, 46.2],
      [7.4, 46.2],
      [7.4, 46.4],
      [7.2, 46.2],
    ];
    const across = inside.map(([x = 0, y = 0]) => [x - 0.3, y]);
    expect(crossesItself({ type: "Polygon", coordinates: [outer, inside] })).toBe(false);
    expect(crossesItself({ type: "Polygon", coordinates: [outer, across] })).toBe(true);
  });

  it("of a line may cross itself", () => {
    const line = lineOf([
      [0, 0],
      [1, 1],
      [1, 0],
      [0, 1],
    ]);
    expect(crossesItself(line)).toBe(false);
  });

  it("of a thousand random stars is simple, and is not when two far corners are exchanged", () => {
    let seed = 11;
    const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
    for (let round = 0; round < 1000; round += 1) {
      const corners = Array.from({ length: 12 }, (_, index): LonLat => {
        const [angle, radius] = [(index / 12) * 2 * Math.PI, 0.4 + 0.6 * random()];
        return [radius * Math.cos(angle), radius * Math.sin(angle)];
      });
      expect(crossesItself(polygonOf(corners))).toBe(false);
      const exchanged = [...corners];
      [exchanged[2], exchanged[7]] = [corners[7]!, corners[2]!];
      expect(crossesItself(polygonOf(exchanged))).toBe(true);
    }
  });
});

describe("two geometries", () => {
  it("are the same when only their rings turn the other way", () => {
    const turned = polygonOf([
      [7, 46],
      [7, 47],
      [8, 47],
      [8, 46],
    ]);
    expect(sameGeometry(square, turned)).toBe(true);
    expect(sameGeometry(square, translate(square, [1e-9, 0]))).toBe(false);
    expect(sameGeometry(square, { type: "Point", coordinates: [7, 46] })).toBe(false);
  });
});

describe("measuring", () => {
  it("is on the ellipsoid: a degree of latitude and of longitude, as WGS 84 has them", () => {
    const north = lengthOf([
      [0, 0],
      [0, 1],
    ]);
    const east = lengthOf([
      [0, 0],
      [1, 0],
    ]);
    expect(north).toBeCloseTo(110_574.389, 2);
    expect(east).toBeCloseTo(111_319.491, 2);
  });

  it("has the shorter side of a view, and half the world at most", () => {
    expect(shorterSideOf([7, 46, 7.01, 46.004])).toBeCloseTo(444.7, 0);
    expect(shorterSideOf([7, 46, 7.001, 46.004])).toBeCloseTo(77.4, 0);
    expect(shorterSideOf([-500, -1, 500, 1])).toBeCloseTo(221_149, -1);
  });

  it("of a ring comes back to its beginning, and its area does not depend on how it turns", () => {
    const corners: LonLat[] = [
      [0, 0],
      [0.01, 0],
      [0.01, 0.01],
      [0, 0.01],
    ];
    const [width, height] = [1113.1949, 1105.7428];
    expect(Math.abs(lengthOf(corners, true) - 2 * (width + height))).toBeLessThan(0.01);
    expect(Math.abs(areaOf(corners) - width * height)).toBeLessThan(1);
    expect(areaOf([...corners].reverse())).toBeCloseTo(areaOf(corners), 3);
  });
});
