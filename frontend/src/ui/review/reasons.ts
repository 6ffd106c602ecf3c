/** The usual reasons to return a shape, chosen by their number. */
import { i18n } from "../../i18n";

export const REASONS = [
  "outline",
  "missingPart",
  "tooMuch",
  "wrongClass",
  "attributes",
  "split",
  "merge",
  "noObject",
] as const;

/** Reason and words as one comment; empty when there is neither. */
export function reasonText(reason: string | null, words: string): string {
  const known = REASONS.find((one) => one === reason);
  return [known === undefined ? "" : i18n.t(`reason.${known}`), words.trim()].filter((part) => part !== "").join(": ");
}
