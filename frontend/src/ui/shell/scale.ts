/** The scale bar: a round length that fits. */

export interface ScaleBar {
  readonly metres: number;
  readonly pixels: number;
}

/** Longest of 1, 2, 5 × 10ⁿ metres that is at most `maxPixels` wide. */
export function scaleBar(metresPerPixel: number, maxPixels = 96): ScaleBar | null {
  if (!Number.isFinite(metresPerPixel) || metresPerPixel <= 0) return null;
  const room = metresPerPixel * maxPixels;
  const power = 10 ** Math.floor(Math.log10(room));
  const step = [5, 2, 1].find((factor) => factor * power <= room) ?? 1;
  const metres = step * power;
  return { metres, pixels: Math.round(metres / metresPerPixel) };
}
