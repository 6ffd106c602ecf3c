/** A form, where there is a choice of forms, and how many vertices an outline keeps. */
import { SegmentedControl, Slider, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { OutlineRecipe } from "../../protocol/entities";
import { LEVELS } from "../../segment/shaping";

const FORMS = ["", "right_angles", "circle"] as const;

interface ShapeControlsProps {
  /** Null where there is no choice. */
  readonly form: OutlineRecipe["form"] | null;
  readonly onForm: (form: OutlineRecipe["form"]) => void;
  readonly level: number;
  readonly onLevel: (level: number) => void;
  readonly onLevelEnd?: () => void;
  /** Keys that do the same as the slider. */
  readonly hint?: ReactNode;
  readonly testId: string;
}

export function ShapeControls({ form, onForm, level, onLevel, onLevelEnd, hint, testId }: ShapeControlsProps) {
  const { t } = useTranslation();
  return (
    <>
      {form !== null && (
        <SegmentedControl
          size="xs"
          fullWidth
          value={form === "centreline" ? "" : form}
          onChange={onForm}
          data={FORMS.map((value) => ({ value, label: t(`shaping.forms.${value === "" ? "natural" : value}`) }))}
          data-testid={`${testId}-form`}
        />
      )}
      <div>
        <Text size="xs" fw={500}>
          {t("draft.fewer")} {hint}
        </Text>
        <Slider
          min={0}
          max={LEVELS - 1}
          step={1}
          marks={t("draft.levels", { returnObjects: true }).map((label, value) => ({ value, label }))}
          label={null}
          value={level}
          onChange={onLevel}
          {...(onLevelEnd === undefined ? {} : { onChangeEnd: onLevelEnd })}
          mb={20}
          data-testid={`${testId}-level`}
        />
      </div>
    </>
  );
}
