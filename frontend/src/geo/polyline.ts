/** Decodes the wire's encoded polylines: the published algorithm, order lon, lat, 1e-8 degrees. */
import type { LonLat } from "./lonlat";

const PRECISION = 1e8;

/** The positions of an encoded line; throws RangeError for a cut-off text. */
export function decodeLine(text: string): LonLat[] {
  const line: LonLat[] = [];
  let at = 0;
  let lon = 0;
  let lat = 0;
  const next = (): number => {
    // Differences of whole degrees need more than 32 bits: arithmetic instead of bit operators.
    let value = 0;
    let factor = 1;
    for (;;) {
      if (at >= text.length) throw new RangeError("the line is cut off");
      const piece = text.charCodeAt(at++) - 63;
      value += (piece % 32) * factor;
      factor *= 32;
      if (piece < 32) break;
    }
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  };
  while (at < text.length) {
    lon += next();
    lat += next();
    line.push([lon / PRECISION, lat / PRECISION]);
  }
  return line;
}
