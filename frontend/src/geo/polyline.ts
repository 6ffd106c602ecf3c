/** Decodes the wire's encoded polylines: the published algorithm, order lon, lat, rounded to some digits of a degree. */
import type { LonLat } from "./lonlat";

/** The positions of an encoded line; throws RangeError for a cut-off text. */
export function decodeLine(text: string, digits: number): LonLat[] {
  const line: LonLat[] = [];
  const steps = 10 ** digits;
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
    line.push([lon / steps, lat / steps]);
  }
  return line;
}
