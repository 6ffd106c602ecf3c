/** A recipe at work: the mask's outline before and after it, with the vertices of both. */
import { Group, NativeSelect, Stack, Text } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import type { OutlineRecipe } from "../../protocol/entities";
import { ErrorNote } from "../parts/ErrorNote";
import { MaskOutlines } from "../parts/MaskOutlines";
import { keys } from "../query";
import { SAMPLES, type Sample } from "./recipes";

interface RecipePreviewProps {
  readonly projectId: string;
  readonly recipe: OutlineRecipe;
  readonly colour: string;
  readonly sample: Sample;
  readonly onSample: (sample: Sample) => void;
}

const TYPING_MS = 250;

export function RecipePreview({ projectId, recipe, colour, sample, onSample }: RecipePreviewProps) {
  const { t } = useTranslation();
  const [asked] = useDebouncedValue(recipe, TYPING_MS);
  const preview = useQuery({
    queryKey: keys.outline(projectId, asked, sample),
    queryFn: () => api.outlines.trySample(projectId, asked, sample),
    placeholderData: keepPreviousData,
    retry: false,
  });
  const found = preview.data;
  return (
    <Stack gap={6} data-testid="recipe-preview">
      <MaskOutlines preview={found ?? null} colour={colour} size={216} />
      {found !== undefined && preview.error === null && (
        <div>
          <Text size="xs" fw={500} data-testid="recipe-vertices">
            {t("shaping.vertices", { before: found.before.vertices, after: found.after.vertices })}
          </Text>
          <Text size="xs" c="dimmed">
            {t("shaping.closeness", { iou: (100 * found.iou).toFixed(1), off: found.hausdorff_m.toFixed(1) })}
          </Text>
        </div>
      )}
      <ErrorNote error={preview.error} />
      <Group gap={6} wrap="nowrap">
        <NativeSelect
          size="xs"
          flex={1}
          aria-label={t("shaping.sample")}
          data={SAMPLES.map((value) => ({ value, label: t(`shaping.samples.${value}`) }))}
          value={sample}
          onChange={(event) => onSample(event.currentTarget.value as Sample)}
          data-testid="recipe-sample"
        />
      </Group>
    </Stack>
  );
}
