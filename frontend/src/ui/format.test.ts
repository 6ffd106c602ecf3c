import { describe, expect, it } from "vitest";
import {
  formatAgo,
  formatArea,
  formatBytes,
  formatDuration,
  formatLength,
  formatLonLat,
  formatPixelSize,
  plainLonLat,
} from "./format";

const plain = (text: string) => text.replaceAll("\u202f", " ");

describe("sizes", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1 kB"],
    [999_600, "1 MB"],
    [3_140_000_000, "3.14 GB"],
    [12_340_000, "12.3 MB"],
  ])("%d bytes read %s", (bytes, words) => {
    expect(plain(formatBytes(bytes))).toBe(words);
  });

  it.each([
    [12.34, "12.3 m²"],
    [9999, "9,999 m²"],
    [25_000, "2.5 ha"],
    [3_250_000, "3.25 km²"],
  ])("%d square metres read %s", (area, words) => {
    expect(plain(formatArea(area))).toBe(words);
  });

  it("lengths change to kilometres, pixels to centimetres", () => {
    expect(plain(formatLength(1500))).toBe("1.5 km");
    expect(plain(formatPixelSize(0.2))).toBe("20 cm");
    expect(plain(formatPixelSize(10))).toBe("10 m");
  });
});

describe("times", () => {
  it.each([
    [0.2, "1 s"],
    [42, "42 s"],
    [200, "3 min"],
    [3600, "1 h"],
    [4800, "1 h 20 min"],
    [3599, "1 h"],
  ])("a wait of %d s reads %s", (seconds, words) => {
    expect(plain(formatDuration(seconds))).toBe(words);
  });

  const now = Date.parse("2026-05-10T12:00:00Z");
  it.each([
    ["2026-05-10T11:59:30Z", "just now"],
    ["2026-05-10T11:57:00Z", "3 min ago"],
    ["2026-05-10T11:00:40Z", "59 min ago"],
    ["2026-05-10T10:00:00Z", "2 h ago"],
    ["2026-05-09T11:00:00Z", "yesterday"],
    ["2026-05-06T11:00:00Z", "4 days ago"],
    ["2026-03-01T12:00:00Z", "1 Mar 2026"],
  ])("%s is %s", (iso, words) => {
    expect(formatAgo(iso, now)).toBe(words);
  });
});

describe("coordinates", () => {
  it("show latitude first, with a true minus, and copy with a plain one", () => {
    expect(formatLonLat(-1.234564, 12.34567)).toBe("12.34567, −1.23456");
    expect(plainLonLat(-1.2, 3)).toBe("3.0000000, -1.2000000");
  });
});
