/** A member as a coloured disc with initials. */
import { Tooltip } from "@mantine/core";
import { readableOn } from "../colour";
import classes from "./PersonDot.module.css";

interface PersonDotProps {
  readonly name: string;
  readonly colour: string;
  readonly note?: string;
  readonly size?: number;
}

export function PersonDot({ name, colour, note, size = 26 }: PersonDotProps) {
  const label = note === undefined ? name : `${name} · ${note}`;
  return (
    <Tooltip label={label}>
      <span
        className={classes["dot"]}
        style={{ background: colour, color: readableOn(colour), width: size, height: size, fontSize: size * 0.42 }}
        role="img"
        aria-label={label}
      >
        {initials(name)}
      </span>
    </Tooltip>
  );
}

export function initials(name: string): string {
  const words = name
    .trim()
    .split(/\s+/u)
    .filter((word) => word !== "");
  const first = firstLetter(words[0] ?? "?");
  const last = words.length > 1 ? firstLetter(words.at(-1) ?? "") : "";
  return (first + last).toUpperCase();
}

function firstLetter(word: string): string {
  return Array.from(word)[0] ?? "";
}
