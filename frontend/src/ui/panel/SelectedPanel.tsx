/** The selected shape: its class, attributes, status, where it came from, and what can be done with it. */
import { Button, Group, Select, Stack, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { IconCheck, IconCornerUpLeft, IconSend, IconTrash, IconVectorSpline, IconZoomScan } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Annotation } from "../../protocol/entities";
import { ACCEPT_COLOUR } from "../colour";
import { releaseKeys } from "../focus";
import { formatArea, formatLength } from "../format";
import { Section } from "../parts/Section";
import { StatusLabel } from "../parts/StatusMark";
import { useActions, useClasses, useRasters, useRole, useSelected } from "../project";
import { ReturnForm } from "../review/ReturnForm";
import { useUser } from "../session";
import { AttributeForm } from "./AttributeForm";
import { History } from "./History";
import { OutlineAgain } from "./OutlineAgain";
import { Provenance } from "./Provenance";
import { permissions } from "./permissions";
import classes from "./SelectedPanel.module.css";

export function SelectedPanel() {
  const { t } = useTranslation();
  const annotation = useSelected();
  if (annotation === null) {
    return (
      <Text c="dimmed" px={12} py={16} data-testid="selected-none">
        {t("panel.none")}
      </Text>
    );
  }
  return <Selected key={annotation.id} annotation={annotation} />;
}

function Selected({ annotation }: { readonly annotation: Annotation }) {
  const { t } = useTranslation();
  const labelClasses = useClasses();
  const rasters = useRasters();
  const actions = useActions();
  const may = permissions(annotation, useUser().id, useRole());
  const labelClass = labelClasses.find((one) => one.id === annotation.label_class);
  const sameShape = labelClasses.filter((one) => one.geometry_type === labelClass?.geometry_type);
  const raster = rasters.find((one) => one.id === annotation.raster);
  const [outlining, setOutlining] = useState(false);
  const hasMask = annotation.provenance.kind === "suggested" && raster !== undefined && labelClass !== undefined;

  const confirmDelete = () =>
    modals.openConfirmModal({
      title: t("panel.deleteTitle"),
      children: <Text>{t("panel.deleteText")}</Text>,
      labels: { confirm: t("action.delete"), cancel: t("action.cancel") },
      confirmProps: { color: "red" },
      onConfirm: () => actions.deleteAnnotation(annotation.id),
    });

  return (
    <div data-testid="selected-panel" data-annotation={annotation.id} data-status={annotation.status}>
      <Section title={t("panel.selected")} aside={<StatusLabel status={annotation.status} />}>
        <Stack gap="sm">
          <Select
            label={t("panel.class")}
            data={sameShape.map((one) => ({ value: one.id, label: one.name }))}
            value={annotation.label_class}
            readOnly={!may.edit}
            leftSection={<span className={classes["swatch"]} style={{ background: labelClass?.colour }} />}
            onChange={(value) => {
              if (value !== null && value !== annotation.label_class) actions.setClass(annotation.id, value);
              releaseKeys();
            }}
            data-testid="selected-class"
          />
          {labelClass !== undefined && labelClass.attributes.length > 0 && (
            <AttributeForm
              schema={labelClass.attributes}
              values={annotation.attributes}
              readOnly={!may.edit}
              onCommit={(attributes) => actions.setAttributes(annotation.id, attributes)}
            />
          )}
          <dl className={classes["facts"]}>
            <dt>{t("panel.author")}</dt>
            <dd>{annotation.author?.display_name ?? t("members.former")}</dd>
            {annotation.area_m2 !== null && annotation.area_m2 > 0 && (
              <>
                <dt>{t("panel.area")}</dt>
                <dd>{formatArea(annotation.area_m2)}</dd>
              </>
            )}
            {annotation.length_m !== null && annotation.length_m > 0 && labelClass?.geometry_type === "line" && (
              <>
                <dt>{t("panel.length")}</dt>
                <dd>{formatLength(annotation.length_m)}</dd>
              </>
            )}
            {raster !== undefined && (
              <>
                <dt>{t("panel.raster")}</dt>
                <dd title={raster.name}>{raster.name}</dd>
              </>
            )}
          </dl>
          <Group gap="sm">
            {may.submit && (
              <Button
                size="xs"
                leftSection={<IconSend size={14} />}
                onClick={() => actions.setStatus(annotation.id, "submitted")}
                data-testid="action-submit"
              >
                {t("panel.submit")}
              </Button>
            )}
            {may.accept && (
              <Button
                size="xs"
                color={ACCEPT_COLOUR}
                leftSection={<IconCheck size={14} />}
                onClick={() => actions.setStatus(annotation.id, "accepted")}
                data-testid="action-accept"
              >
                {t("panel.accept")}
              </Button>
            )}
            {may.giveBack && (
              <ReturnForm onReturn={(comment) => actions.setStatus(annotation.id, "changes_requested", comment)} />
            )}
            {may.takeBack && (
              <Button
                size="xs"
                variant="default"
                leftSection={<IconCornerUpLeft size={14} />}
                onClick={() => actions.setStatus(annotation.id, "draft")}
                data-testid="action-take-back"
              >
                {t("panel.takeBack")}
              </Button>
            )}
            <Button
              size="xs"
              variant="default"
              leftSection={<IconZoomScan size={14} />}
              onClick={() => actions.zoomToAnnotation(annotation.id)}
            >
              {t("panel.zoom")}
            </Button>
            {may.edit && hasMask && (
              <Button
                size="xs"
                variant="default"
                leftSection={<IconVectorSpline size={14} />}
                onClick={() => setOutlining(!outlining)}
                aria-expanded={outlining}
                data-testid="action-outline-again"
              >
                {t("panel.outlineAgain")}
              </Button>
            )}
            {may.edit && (
              <Button
                size="xs"
                variant="default"
                leftSection={<IconTrash size={14} />}
                onClick={confirmDelete}
                data-testid="action-delete"
              >
                {t("action.delete")}
              </Button>
            )}
          </Group>
          {outlining && may.edit && hasMask && (
            <OutlineAgain
              annotation={annotation}
              labelClass={labelClass}
              pixelM={raster.pixel_size_m === null ? 1 : Math.min(...raster.pixel_size_m)}
              onDone={() => setOutlining(false)}
            />
          )}
          {may.ownReview && (
            <Text size="xs" c="dimmed">
              {t("panel.ownWork")}
            </Text>
          )}
        </Stack>
      </Section>
      <Section title={t("panel.provenance")} startOpen={false}>
        <Provenance provenance={annotation.provenance} />
      </Section>
      <Section title={t("panel.history")} startOpen={false} testId="history-section">
        <History annotation={annotation} />
      </Section>
    </div>
  );
}
