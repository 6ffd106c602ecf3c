/** Contrast of text on a coloured ground. */

/** Black or white, whichever reads better on the colour. */
export function readableOn(hex: string): "#000000" | "#ffffff" {
  const ground = luminance(hex);
  return (ground + 0.05) / 0.05 > 1.05 / (ground + 0.05) ? "#000000" : "#ffffff";
}

/** WCAG relative luminance of `#rrggbb`, 0..1. */
export function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Grounds of the buttons that decide on a shape; white text on them has AA contrast. */
export const ACCEPT_COLOUR = "#1f7a3d";
export const RETURN_COLOUR = "#a85500";

/** First colours offered for new classes: apart from each other, readable over vegetation, soil and roofs. */
export const CLASS_COLOURS: readonly string[] = [
  "#ff6b6b",
  "#ffd43b",
  "#4dabf7",
  "#e599f7",
  "#ff922b",
  "#63e6be",
  "#f783ac",
  "#a9e34b",
  "#b197fc",
  "#ffffff",
];
