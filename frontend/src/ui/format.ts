/** Numbers and times as people read them. */
import { i18n } from "../i18n";

const NARROW_SPACE = "\u202f";

/** Bytes in powers of 1000, as file managers show them. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${significant(value)}${NARROW_SPACE}${units[unit] ?? ""}`;
}

/** Area in m², ha or km², whichever reads best. */
export function formatArea(squareMetres: number): string {
  if (squareMetres < 10_000) return `${significant(squareMetres)}${NARROW_SPACE}m²`;
  if (squareMetres < 1_000_000) return `${significant(squareMetres / 10_000)}${NARROW_SPACE}ha`;
  return `${significant(squareMetres / 1_000_000)}${NARROW_SPACE}km²`;
}

export function formatLength(metres: number): string {
  if (metres < 1000) return `${significant(metres)}${NARROW_SPACE}m`;
  return `${significant(metres / 1000)}${NARROW_SPACE}km`;
}

/** Ground size of a pixel: centimetres below one metre. */
export function formatPixelSize(metres: number): string {
  if (metres < 1) return `${significant(metres * 100)}${NARROW_SPACE}cm`;
  return formatLength(metres);
}

/** A wait, rounded so that it does not flicker: "8 s", "3 min", "1 h 20 min". */
export function formatDuration(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))}${NARROW_SPACE}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes}${NARROW_SPACE}min`;
  const rest = minutes % 60;
  const hours = `${Math.floor(minutes / 60)}${NARROW_SPACE}h`;
  return rest === 0 ? hours : `${hours} ${rest}${NARROW_SPACE}min`;
}

export function formatCount(count: number): string {
  return count.toLocaleString("en-GB");
}

/** "just now", "3 min ago", "yesterday", then the date. */
export function formatAgo(iso: string, now: number = Date.now()): string {
  const seconds = (now - Date.parse(iso)) / 1000;
  if (Number.isNaN(seconds)) return "";
  if (seconds < 45) return i18n.t("time.now");
  if (seconds < 3570) return i18n.t("time.minutes", { n: Math.max(1, Math.round(seconds / 60)) });
  if (seconds < 84_600) return i18n.t("time.hours", { n: Math.round(seconds / 3600) });
  if (seconds < 172_800) return i18n.t("time.yesterday");
  if (seconds < 30 * 86_400) return i18n.t("time.days", { n: Math.floor(seconds / 86_400) });
  return formatDate(iso);
}

export function formatDate(iso: string): string {
  return new Date(iso).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

export function formatExactTime(iso: string): string {
  return new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
}

/** Latitude and longitude in degrees, five decimals (about a metre). */
export function formatLonLat(lon: number, lat: number): string {
  return `${lat.toFixed(5)}, ${lon.toFixed(5)}`.replaceAll("-", "−");
}

/** The same for pasting into other programs: plain minus. */
export function plainLonLat(lon: number, lat: number): string {
  return `${lat.toFixed(7)}, ${lon.toFixed(7)}`;
}

function significant(value: number): string {
  if (value >= 99.95) return Math.round(value).toLocaleString("en-GB");
  if (value >= 9.995) return value.toFixed(1).replace(/\.0$/, "");
  return value.toFixed(2).replace(/\.?0+$/, "");
}
