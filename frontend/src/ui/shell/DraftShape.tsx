/** How many vertices the draft has, and a small control over them and its form: the outline follows at once. */
import { Button, Popover, Stack, Text } from "@mantine/core";
import { IconVectorSpline } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { verticesOf } from "../../geo/shapes";
import { releaseKeys } from "../focus";
import { formatLength } from "../format";
import { ShapeControls } from "../parts/ShapeControls";
import { useActions, useDraft, useShaping } from "../project";
import classes from "./DraftBar.module.css";

export function DraftShape() {
  const { t } = useTranslation();
  const draft = useDraft();
  const shaping = useShaping();
  const actions = useActions();
  const candidate = draft?.candidates[draft.chosen];
  if (draft === null || candidate === undefined || shaping === null) return null;
  const { fit } = draft;
  const count = verticesOf(fit?.geometry ?? candidate.geometry).length;
  const lines = candidate.geometry.type.endsWith("LineString");
  return (
    <Popover
      withRoles={false}
      position="top"
      withArrow
      shadow="md"
      width={320}
      onDismiss={releaseKeys}
      onClose={releaseKeys}
    >
      <Popover.Target>
        <Button
          title={t("draft.shape")}
          size="xs"
          variant="subtle"
          color="gray"
          leftSection={<IconVectorSpline size={14} />}
          data-testid="draft-shape"
        >
          {t("draft.vertices", { count })}
          {candidate.width !== undefined && ` · ${t("draft.width", { width: formatLength(candidate.width) })}`}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="sm" className={classes["shape"]}>
          <ShapeControls
            form={shaping.forms ? shaping.recipe.form : null}
            onForm={(form) => {
              actions.setDraftForm(form);
              releaseKeys();
            }}
            level={shaping.level}
            onLevel={(level) => actions.setDraftLevel(level)}
            onLevelEnd={releaseKeys}
            hint={
              <>
                <kbd>,</kbd> <kbd>.</kbd>
              </>
            }
            testId="draft"
          />
          {candidate.rawVertices !== undefined && (
            <Text size="xs" c="dimmed">
              {t("draft.ofMask", { n: candidate.rawVertices })}
            </Text>
          )}
          {fit !== null && fit.neighbours > 0 && (
            <Text size="xs" data-testid="draft-fits">
              {t(lines ? "draft.joins" : "draft.fits", { count: fit.neighbours })}
            </Text>
          )}
          {draft.shaping !== null && (
            <Button size="compact-xs" variant="default" onClick={() => actions.reshapeDraft(null)}>
              {t("draft.classRecipe")}
            </Button>
          )}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
