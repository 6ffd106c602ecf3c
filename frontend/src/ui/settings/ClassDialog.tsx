/** Making or changing one label class. */
import { Button, ColorInput, Group, Modal, SegmentedControl, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import type { ClassAttribute, GeometryType, LabelClass, OutlineRecipe } from "../../protocol/entities";
import { api } from "../../net/api";
import { CLASS_COLOURS } from "../colour";
import { fieldErrors } from "../errors";
import { ErrorNote } from "../parts/ErrorNote";
import { keys } from "../query";
import { AttributeEditor } from "./AttributeEditor";
import { freeDigits, unfinishedAttributes } from "./classForm";
import { RecipeEditor } from "./RecipeEditor";
import { kindsOf, PLAIN, presetOf } from "./recipes";

interface ClassDialogProps {
  readonly projectId: string;
  readonly labelClass: LabelClass | null;
  readonly others: readonly LabelClass[];
  readonly onClose: () => void;
}

const GEOMETRY_TYPES: readonly GeometryType[] = ["polygon", "line", "point"];

export function ClassDialog({ projectId, labelClass, others, onClose }: ClassDialogProps) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const digits = freeDigits(others, labelClass?.id ?? null);
  const [name, setName] = useState(labelClass?.name ?? "");
  const [colour, setColour] = useState(labelClass?.colour ?? unusedColour(others));
  const [digit, setDigit] = useState<number | null>(labelClass === null ? (digits[0] ?? null) : labelClass.digit);
  const [geometryType, setGeometryType] = useState<GeometryType>(labelClass?.geometry_type ?? "polygon");
  const [recipe, setRecipe] = useState<OutlineRecipe>(labelClass?.recipe ?? PLAIN);
  const [border, setBorder] = useState<number | null>(labelClass?.shared_border_m ?? null);
  const [attributes, setAttributes] = useState<readonly ClassAttribute[]>(labelClass?.attributes ?? []);

  const save = useMutation({
    mutationFn: () => {
      const shape = {
        geometry_type: geometryType,
        recipe,
        shared_border_m: geometryType === "point" ? null : border,
      };
      const form = { name: name.trim(), colour, digit, ...shape, attributes };
      return labelClass === null
        ? api.classes.create(projectId, { ...form, order: others.length })
        : api.classes.change(projectId, labelClass.id, form);
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: keys.classes(projectId) });
      onClose();
    },
  });
  const fields = fieldErrors(save.error);
  const ready = name.trim() !== "" && /^#[0-9a-f]{6}$/i.test(colour) && unfinishedAttributes(attributes).length === 0;
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (ready) save.mutate();
  };

  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={labelClass === null ? t("classes.createTitle") : t("classes.editTitle", { name: labelClass.name })}
    >
      <form onSubmit={submit}>
        <Stack>
          <ErrorNote error={save.error} />
          <Group align="flex-start" gap="md" wrap="nowrap">
            <TextInput
              flex={1}
              label={t("classes.name")}
              placeholder={t("classes.namePlaceholder")}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              error={fields["name"]}
              maxLength={100}
              data-autofocus
              data-testid="class-name"
            />
            <ColorInput
              w={150}
              label={t("classes.colour")}
              format="hex"
              eyeDropperButtonProps={{ "aria-label": t("classes.pickColour") }}
              swatches={[...CLASS_COLOURS]}
              swatchesPerRow={10}
              value={colour}
              onChange={(value) => setColour(value.toLowerCase())}
              error={fields["colour"]}
              data-testid="class-colour"
            />
            <Select
              w={90}
              label={t("classes.digit")}
              data={[
                { value: "", label: t("classes.noDigit") },
                ...digits.map((one) => ({ value: String(one), label: String(one) })),
              ]}
              value={digit === null ? "" : String(digit)}
              onChange={(value) => setDigit(value === null || value === "" ? null : Number(value))}
              error={fields["digit"]}
            />
          </Group>
          <div>
            <Text fw={500} mb={4}>
              {t("classes.geometryType")}
            </Text>
            <SegmentedControl
              value={geometryType}
              onChange={(value) => {
                const preset = presetOf(kindsOf(value)[0] ?? "plain");
                setGeometryType(value);
                setRecipe(preset.recipe);
                setBorder(preset.border);
              }}
              disabled={labelClass !== null}
              data={GEOMETRY_TYPES.map((value) => ({ value, label: t(`geometryType.${value}`) }))}
            />
            {labelClass !== null && (
              <Text c="dimmed" size="xs" mt={4}>
                {t("classes.geometryFixed")}
              </Text>
            )}
          </div>
          {geometryType !== "point" && (
            <div>
              <Text fw={500} mb={4}>
                {t("shaping.title")}
              </Text>
              <RecipeEditor
                key={geometryType}
                projectId={projectId}
                geometryType={geometryType}
                colour={colour}
                recipe={recipe}
                border={border}
                onChange={(next, shared) => {
                  setRecipe(next);
                  setBorder(shared);
                }}
                error={fields["recipe"] ?? fields["shared_border_m"]}
              />
            </div>
          )}
          <AttributeEditor
            attributes={attributes}
            onChange={setAttributes}
            error={fields["attributes"]}
            storedKeys={(labelClass?.attributes ?? []).map((one) => one.key)}
          />
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>
              {t("action.cancel")}
            </Button>
            <Button type="submit" loading={save.isPending} disabled={!ready} data-testid="class-save">
              {t("action.save")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function unusedColour(others: readonly LabelClass[]): string {
  const used = new Set(others.map((one) => one.colour.toLowerCase()));
  return CLASS_COLOURS.find((colour) => !used.has(colour)) ?? "#4dabf7";
}
