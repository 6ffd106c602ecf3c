/** How suggestions of a class become shapes: a kind for most, single settings for the rest, and what they do. */
import { Checkbox, Collapse, Group, NumberInput, Select, SimpleGrid, Stack, Text, UnstyledButton } from "@mantine/core";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { SIMPLIFICATIONS, type GeometryType, type OutlineRecipe } from "../../protocol/entities";
import { kindOf, kindsOf, presetOf, sampleFor, type Kind, type Sample } from "./recipes";
import { RecipePreview } from "./RecipePreview";

interface RecipeEditorProps {
  readonly projectId: string;
  readonly geometryType: GeometryType;
  readonly colour: string;
  readonly recipe: OutlineRecipe;
  readonly border: number | null;
  readonly onChange: (recipe: OutlineRecipe, border: number | null) => void;
  readonly error: string | undefined;
}

const OWN = "own";
const BORDER_M = 3;
const JOIN_M = 5;
const LEAST_BORDER_M = 0.01;
const FORMS = ["", "right_angles", "circle"] as const;

export function RecipeEditor(props: RecipeEditorProps) {
  const { projectId, geometryType, colour, recipe, border, onChange, error } = props;
  const { t } = useTranslation();
  const kind = kindOf(recipe, geometryType);
  const lines = geometryType === "line";
  const usual = lines ? JOIN_M : BORDER_M;
  const [more, setMore] = useState(kind === null);
  const [sample, setSample] = useState<Sample>(kind === null ? sampleFor(recipe) : presetOf(kind).sample);
  const set = (change: Partial<OutlineRecipe>) => onChange({ ...recipe, ...change }, border);
  const choose = (value: string | null) => {
    if (value === null || value === OWN) return;
    const preset = presetOf(value as Kind);
    setSample(preset.sample);
    onChange(preset.recipe, preset.border);
  };
  const kinds = kindsOf(geometryType).map((value) => ({ value: value, label: t(`shaping.kinds.${value}`) }));
  const Chevron = more ? IconChevronDown : IconChevronRight;

  return (
    <Group align="flex-start" gap="lg" wrap="nowrap">
      <Stack flex={1} gap="sm">
        <Select
          label={t("shaping.kind")}
          data={kind === null ? [...kinds, { value: OWN, label: t("shaping.own") }] : kinds}
          value={kind ?? OWN}
          onChange={choose}
          allowDeselect={false}
          error={error}
          data-testid="recipe-kind"
        />
        <Text c="dimmed" size="xs">
          {t(`shaping.kindHelp.${kind ?? OWN}`)}
        </Text>
        <Checkbox
          label={lines ? t("shaping.joinsLines") : t("shaping.sharesBorders")}
          checked={border !== null}
          onChange={(event) => onChange(recipe, event.currentTarget.checked ? usual : null)}
          data-testid="shares-borders"
        />
        {border !== null && (
          <Metres
            label={lines ? t("shaping.joinTolerance") : t("shaping.borderTolerance")}
            value={border}
            onChange={(value) => onChange(recipe, Math.max(LEAST_BORDER_M, value ?? usual))}
            most={100}
            testId="border-tolerance"
          />
        )}
        <UnstyledButton onClick={() => setMore(!more)} aria-expanded={more} data-testid="recipe-more">
          <Group gap={4}>
            <Chevron size={16} />
            <Text size="sm">{t("shaping.more")}</Text>
          </Group>
        </UnstyledButton>
        <Collapse expanded={more}>
          <Knobs geometryType={geometryType} recipe={recipe} set={set} />
        </Collapse>
      </Stack>
      <RecipePreview projectId={projectId} recipe={recipe} colour={colour} sample={sample} onSample={setSample} />
    </Group>
  );
}

interface KnobsProps {
  readonly geometryType: GeometryType;
  readonly recipe: OutlineRecipe;
  readonly set: (change: Partial<OutlineRecipe>) => void;
}

function Knobs({ geometryType, recipe, set }: KnobsProps) {
  const { t } = useTranslation();
  const polygon = geometryType === "polygon";
  return (
    <Stack gap="sm">
      <SimpleGrid cols={2} spacing="sm" verticalSpacing="sm">
        {polygon && (
          <Select
            label={t("shaping.form")}
            data={FORMS.map((value) => ({ value, label: t(`shaping.forms.${value === "" ? "natural" : value}`) }))}
            value={recipe.form}
            onChange={(value) => set({ form: value ?? "" })}
            allowDeselect={false}
            data-testid="recipe-form"
          />
        )}
        <Select
          label={t("shaping.simplify")}
          data={SIMPLIFICATIONS.map((value) => ({ value, label: t(`shaping.simplifications.${value}`) }))}
          value={recipe.simplify}
          onChange={(value) => set({ simplify: value ?? "visvalingam" })}
          allowDeselect={false}
        />
        <Metres
          label={t("shaping.tolerance")}
          value={recipe.tolerance_m}
          onChange={(value) => set({ tolerance_m: value === 0 ? null : value })}
          disabled={recipe.simplify === "none"}
          placeholder={t("shaping.automatic")}
          testId="recipe-tolerance"
        />
        <Metres
          label={t("shaping.smooth")}
          value={recipe.smooth_m}
          onChange={(value) => set({ smooth_m: value ?? 0 })}
        />
        {polygon ? (
          <>
            <Metres
              square
              label={t("shaping.fillHoles")}
              value={recipe.fill_holes_m2}
              onChange={(value) => set({ fill_holes_m2: value ?? 0 })}
            />
            <Metres
              square
              label={t("shaping.dropParts")}
              value={recipe.drop_parts_m2}
              onChange={(value) => set({ drop_parts_m2: value ?? 0 })}
            />
          </>
        ) : (
          <>
            <Metres
              label={t("shaping.leastLength")}
              value={recipe.least_length_m}
              onChange={(value) => set({ least_length_m: value })}
              placeholder={t("shaping.automatic")}
            />
            <Metres
              label={t("shaping.width")}
              value={recipe.width_m}
              onChange={(value) => set({ width_m: value === 0 ? null : value })}
              placeholder={t("shaping.measured")}
            />
          </>
        )}
      </SimpleGrid>
      {polygon && recipe.form === "right_angles" && (
        <Checkbox
          label={t("shaping.groupDirections")}
          checked={recipe.group_directions}
          onChange={(event) => set({ group_directions: event.currentTarget.checked })}
        />
      )}
    </Stack>
  );
}

interface MetresProps {
  readonly label: string;
  readonly value: number | null;
  readonly onChange: (value: number | null) => void;
  readonly square?: boolean;
  readonly disabled?: boolean;
  readonly placeholder?: string;
  readonly most?: number;
  readonly testId?: string;
}

/** A length or an area; null while the field is empty. */
function Metres({ label, value, onChange, square = false, disabled = false, placeholder, most, testId }: MetresProps) {
  return (
    <NumberInput
      label={label}
      value={value ?? ""}
      onChange={(said) => onChange(typeof said === "number" ? said : null)}
      min={0}
      max={most ?? (square ? 1e10 : 10_000)}
      step={square ? 10 : 0.5}
      decimalScale={2}
      suffix={square ? " m²" : " m"}
      disabled={disabled}
      placeholder={placeholder}
      data-testid={testId}
    />
  );
}
