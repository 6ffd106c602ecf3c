/** Two people changed one shape: the reader chooses which version stays. */
import { Alert, Button, Group, Modal, SimpleGrid, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Annotation } from "../../protocol/entities";
import { formatArea } from "../format";
import { RelativeTime } from "../parts/RelativeTime";
import { ShapeIcon } from "../parts/ShapeIcon";
import { StatusLabel } from "../parts/StatusMark";
import { useActions, useClasses, useConflict } from "../project";
import classes from "./ConflictDialog.module.css";
import { differences, differingAttributes } from "./differences";

export function ConflictDialog() {
  const { t } = useTranslation();
  const conflict = useConflict();
  const actions = useActions();
  if (conflict === null) return null;
  const { mine, theirs } = conflict;
  const other = theirs.updated_by?.display_name ?? t("members.former");
  const changed = differences(mine, theirs).map((name) => t(`conflict.field.${name}`));
  return (
    <Modal
      opened
      onClose={() => undefined}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      title={t("conflict.title")}
      size={560}
    >
      <Stack data-testid="conflict-dialog">
        <Text>
          {theirs.deleted ? t("conflict.deleted", { person: other }) : t("conflict.text", { person: other })}{" "}
          <Text span c="dimmed">
            <RelativeTime iso={theirs.updated_at} />
          </Text>
        </Text>
        {changed.length > 0 && <Text c="dimmed">{t("conflict.differs", { fields: changed.join(", ") })}</Text>}
        <SimpleGrid cols={2} spacing="md">
          <Version title={t("conflict.mine")} annotation={mine} other={theirs} />
          <Version title={t("conflict.theirs", { person: other })} annotation={theirs} other={mine} />
        </SimpleGrid>
        <Alert variant="light" color="gray" p="sm">
          {t("conflict.keptInHistory")}
        </Alert>
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={() => actions.resolveConflict("theirs")} data-testid="conflict-theirs">
            {t("conflict.takeTheirs")}
          </Button>
          <Button
            onClick={() => actions.resolveConflict("mine")}
            disabled={theirs.deleted}
            data-testid="conflict-mine"
            data-autofocus
          >
            {t("conflict.keepMine")}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

interface VersionProps {
  readonly title: string;
  readonly annotation: Annotation;
  readonly other: Annotation;
}

function Version({ title, annotation, other }: VersionProps) {
  const { t } = useTranslation();
  const labelClass = useClasses().find((one) => one.id === annotation.label_class);
  return (
    <Stack gap="sm" className={classes["version"]}>
      <Text fw={600}>{title}</Text>
      <div className={classes["shape"]}>
        {annotation.deleted ? (
          <Text c="dimmed">{t("conflict.gone")}</Text>
        ) : (
          <ShapeIcon geometry={annotation.geometry} colour={labelClass?.colour ?? "#98a1ad"} size={112} />
        )}
      </div>
      <Text>{labelClass?.name ?? t("classes.gone")}</Text>
      <StatusLabel status={annotation.status} />
      {differingAttributes(annotation, other).map((key) => (
        <Text key={key}>
          <Text span c="dimmed">
            {labelClass?.attributes.find((one) => one.key === key)?.label ?? key}:
          </Text>{" "}
          {String(annotation.attributes[key] ?? "–")}
        </Text>
      ))}
      {annotation.area_m2 !== null && annotation.area_m2 > 0 && (
        <Text c="dimmed">{formatArea(annotation.area_m2)}</Text>
      )}
    </Stack>
  );
}
