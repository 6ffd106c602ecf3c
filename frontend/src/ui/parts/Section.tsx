/** A part of a side panel that folds. */
import { Collapse, UnstyledButton } from "@mantine/core";
import { IconChevronDown } from "@tabler/icons-react";
import { useState, type ReactNode } from "react";
import classes from "./Section.module.css";

interface SectionProps {
  readonly title: string;
  readonly aside?: ReactNode;
  readonly startOpen?: boolean;
  readonly testId?: string;
  readonly children: ReactNode;
}

export function Section({ title, aside, startOpen = true, testId, children }: SectionProps) {
  const [open, setOpen] = useState(startOpen);
  return (
    <section className={classes["section"]} data-testid={testId}>
      <div className={classes["head"]}>
        <UnstyledButton
          className={classes["title"]}
          onClick={() => setOpen((old) => !old)}
          aria-expanded={open}
          data-open={open || undefined}
        >
          <IconChevronDown size={14} />
          {title}
        </UnstyledButton>
        {aside}
      </div>
      <Collapse expanded={open} transitionDuration={120}>
        <div className={classes["body"]}>{children}</div>
      </Collapse>
    </section>
  );
}
