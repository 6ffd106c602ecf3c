/** The classes at hand: a click or the digit chooses the one new shapes get. */
import { Button, UnstyledButton } from "@mantine/core";
import { IconTags } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { EmptyState } from "../parts/EmptyState";
import { useActions, useActiveClassId, useClasses, useRole } from "../project";
import classes from "./ClassPalette.module.css";

export function ClassPalette({ projectId }: { readonly projectId: string }) {
  const { t } = useTranslation();
  const labelClasses = useClasses();
  const activeId = useActiveClassId();
  const actions = useActions();
  const owner = useRole() === "owner";
  if (labelClasses.length === 0) {
    return (
      <EmptyState
        compact
        icon={<IconTags size={18} />}
        title={t("classes.emptyTitle")}
        text={t(owner ? "classes.emptyText" : "classes.emptyTextOthers")}
        action={
          owner && (
            <Button size="xs" component={Link} to={`/projects/${projectId}/settings?tab=classes`}>
              {t("classes.create")}
            </Button>
          )
        }
      />
    );
  }
  return (
    <div className={classes["list"]} role="radiogroup" aria-label={t("settings.classes")} data-testid="class-palette">
      {labelClasses.map((one) => (
        <UnstyledButton
          key={one.id}
          role="radio"
          aria-checked={one.id === activeId}
          className={classes["row"]}
          data-active={one.id === activeId || undefined}
          data-testid={`class-${one.name}`}
          onClick={() => actions.chooseClass(one.id)}
        >
          <kbd>{one.digit ?? "–"}</kbd>
          <span className={classes["swatch"]} data-geometry={one.geometry_type} style={{ color: one.colour }} />
          <span className={classes["name"]}>{one.name}</span>
        </UnstyledButton>
      ))}
    </div>
  );
}
