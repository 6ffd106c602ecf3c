/** Coordinate systems offered by name; anything PROJ knows can be typed. */

const UTM = (["N", "S"] as const).flatMap((half) =>
  Array.from({ length: 60 }, (_, index) => {
    const zone = String(index + 1).padStart(2, "0");
    return `EPSG:${half === "N" ? "326" : "327"}${zone} – WGS 84 / UTM zone ${index + 1}${half}`;
  }),
);

export const COMMON_CRS: readonly string[] = [
  "EPSG:4326 – WGS 84 (longitude, latitude)",
  "EPSG:3857 – WGS 84 / Web Mercator",
  "EPSG:25831 – ETRS89 / UTM zone 31N",
  "EPSG:25832 – ETRS89 / UTM zone 32N",
  "EPSG:25833 – ETRS89 / UTM zone 33N",
  "EPSG:2056 – CH1903+ / LV95",
  "EPSG:27700 – OSGB36 / British National Grid",
  "EPSG:2154 – RGF93 / Lambert-93",
  "EPSG:28992 – Amersfoort / RD New",
  "EPSG:3035 – ETRS89 / LAEA Europe",
  "EPSG:5070 – NAD83 / Conus Albers",
  ...UTM,
];

/** The code out of an offered line, or the text as typed; a bare number is an EPSG code. */
export function crsCode(text: string): string {
  const typed = text.trim();
  const offered = /^(EPSG:\d+) – /.exec(typed);
  if (offered?.[1] !== undefined) return offered[1];
  return /^\d{4,6}$/.test(typed) ? `EPSG:${typed}` : typed;
}
