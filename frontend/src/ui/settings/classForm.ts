/** The rules of the class form: free digits and keys, names of attributes, what is still missing. */
import type { ClassAttribute, LabelClass } from "../../protocol/entities";

const DIGITS = [1, 2, 3, 4, 5, 6, 7, 8, 9] as const;

/** Digits no other class uses. */
export function freeDigits(others: readonly LabelClass[], self: string | null): readonly number[] {
  const taken = new Set(others.filter((one) => one.id !== self).map((one) => one.digit));
  return DIGITS.filter((digit) => !taken.has(digit));
}

/** A stable key for an attribute from its label, apart from those taken. */
export function attributeKey(label: string, taken: readonly string[]): string {
  const base =
    label
      .normalize("NFKD")
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "_")
      .replace(/^[^a-z]+|_+$/g, "")
      .slice(0, 36) || "attribute";
  let key = base;
  for (let n = 2; taken.includes(key); n += 1) key = `${base}_${n}`;
  return key;
}

/** Index of each attribute that cannot be saved yet. */
export function unfinishedAttributes(attributes: readonly ClassAttribute[]): readonly number[] {
  return attributes.flatMap((one, index) =>
    one.label.trim() === "" || (one.type === "choice" && (one.choices ?? []).length === 0) ? [index] : [],
  );
}
