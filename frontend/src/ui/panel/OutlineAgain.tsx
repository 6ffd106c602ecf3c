/** The selected shape drawn again from the mask it was clicked from, by another form and level of detail. */
import { Button, Group, Stack, Text } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { verticesOf } from "../../geo/shapes";
import { api } from "../../net/api";
import type { Annotation, LabelClass, OutlineRecipe } from "../../protocol/entities";
import { levelOf, withLevel } from "../../segment/shaping";
import { releaseKeys } from "../focus";
import { ErrorNote } from "../parts/ErrorNote";
import { ShapeControls } from "../parts/ShapeControls";
import { useActions } from "../project";
import { keys } from "../query";
import draftClasses from "../shell/DraftBar.module.css";

const TYPING_MS = 200;

interface OutlineAgainProps {
  readonly annotation: Annotation;
  readonly labelClass: LabelClass;
  /** Metres of a pixel of its raster. */
  readonly pixelM: number;
  readonly onDone: () => void;
}

export function OutlineAgain({ annotation, labelClass, pixelM, onDone }: OutlineAgainProps) {
  const { t } = useTranslation();
  const actions = useActions();
  const [recipe, setRecipe] = useState<OutlineRecipe>(labelClass.recipe);
  const [asked] = useDebouncedValue(recipe, TYPING_MS);
  const outlined = useQuery({
    queryKey: keys.outlinedAgain(annotation.id, annotation.version, asked),
    queryFn: ({ signal }) => api.annotations.outlineAgain(annotation.id, asked, signal),
    placeholderData: keepPreviousData,
    retry: false,
  });
  const found = outlined.error === null ? outlined.data : undefined;
  const geometry = found?.geometry ?? null;
  useEffect(() => actions.showOutline(geometry), [actions, geometry]);
  useEffect(() => () => actions.showOutline(null), [actions]);

  const use = () => {
    if (geometry !== null) actions.setGeometry(annotation, geometry);
    releaseKeys();
    onDone();
  };

  return (
    <Stack gap="sm" className={draftClasses["shape"]} data-testid="outline-again">
      <ShapeControls
        form={labelClass.geometry_type === "polygon" ? recipe.form : null}
        onForm={(form) => setRecipe({ ...recipe, form, buffered: false })}
        level={levelOf(recipe, pixelM)}
        onLevel={(level) => setRecipe(withLevel(recipe, level, pixelM))}
        testId="outline"
      />
      {found !== undefined && (
        <div>
          <Text size="xs" fw={500} data-testid="outline-vertices">
            {t("shaping.vertices", { before: verticesOf(annotation.geometry).length, after: found.vertices })}
          </Text>
          <Text size="xs" c="dimmed">
            {t("outlineAgain.closeness", { iou: (100 * found.iou).toFixed(1), off: found.hausdorff_m.toFixed(1) })}
          </Text>
          {found.source === "decoded" && (
            <Text size="xs" c="dimmed">
              {t("outlineAgain.decoded", { model: found.model })}
            </Text>
          )}
        </div>
      )}
      <ErrorNote error={outlined.error} />
      <Group gap="sm">
        <Button
          size="xs"
          disabled={geometry === null || outlined.isFetching || asked !== recipe}
          onClick={use}
          data-testid="outline-use"
        >
          {t("outlineAgain.use")}
        </Button>
        <Button size="xs" variant="default" onClick={onDone} data-testid="outline-leave">
          {t("action.cancel")}
        </Button>
      </Group>
    </Stack>
  );
}
