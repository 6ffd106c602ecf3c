/** The attributes of a class: what is asked of each shape. */
import { ActionIcon, Button, Checkbox, Group, Select, Stack, TagsInput, Text, TextInput, Tooltip } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconPlus, IconTrash } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { ATTRIBUTE_TYPES, type ClassAttribute } from "../../protocol/entities";
import { attributeKey } from "./classForm";

interface AttributeEditorProps {
  readonly attributes: readonly ClassAttribute[];
  readonly onChange: (attributes: readonly ClassAttribute[]) => void;
  readonly error: string | undefined;
  /** Keys that stored values may have; they never change. */
  readonly storedKeys: readonly string[];
}

export function AttributeEditor({ attributes, onChange, error, storedKeys }: AttributeEditorProps) {
  const { t } = useTranslation();
  const set = (index: number, change: Partial<ClassAttribute>) =>
    onChange(attributes.map((one, at) => (at === index ? { ...one, ...change } : one)));
  const swap = (index: number, by: 1 | -1) => {
    const next = [...attributes];
    const [one] = next.splice(index, 1);
    if (one !== undefined) next.splice(index + by, 0, one);
    onChange(next);
  };
  const add = () =>
    onChange([
      ...attributes,
      {
        key: attributeKey(
          "",
          attributes.map((one) => one.key),
        ),
        label: "",
        type: "text",
        required: false,
      },
    ]);

  return (
    <Stack gap="sm">
      <div>
        <Text fw={500}>{t("attributes.title")}</Text>
        <Text c="dimmed" size="xs">
          {t("attributes.text")}
        </Text>
      </div>
      {attributes.map((attribute, index) => (
        // By place, not by key: the key follows the label, and a row keeps its focus.
        <Group key={index} gap="sm" align="flex-start" wrap="nowrap">
          <TextInput
            flex={1}
            aria-label={t("attributes.label")}
            placeholder={t("attributes.label")}
            value={attribute.label}
            maxLength={100}
            onChange={(event) => set(index, { label: event.currentTarget.value })}
            onBlur={() => {
              // The key follows the first real label only: it names the values already stored.
              if (storedKeys.includes(attribute.key) || attribute.label.trim() === "") return;
              const taken = attributes.filter((_, at) => at !== index).map((one) => one.key);
              set(index, { key: attributeKey(attribute.label, taken) });
            }}
          />
          <Select
            w={110}
            aria-label={t("attributes.type")}
            value={attribute.type}
            data={ATTRIBUTE_TYPES.map((value) => ({ value, label: t(`attributeType.${value}`) }))}
            onChange={(value) => {
              const type = ATTRIBUTE_TYPES.find((one) => one === value);
              if (type !== undefined)
                set(index, type === "choice" ? { type, choices: [] } : { type, choices: undefined });
            }}
          />
          {attribute.type === "choice" && (
            <TagsInput
              flex={1.4}
              size="sm"
              aria-label={t("attributes.choices")}
              placeholder={t("attributes.choicesHelp")}
              value={[...(attribute.choices ?? [])]}
              onChange={(choices) => set(index, { choices })}
            />
          )}
          <Checkbox
            mt={8}
            label={t("attributes.required")}
            checked={attribute.required}
            onChange={(event) => set(index, { required: event.currentTarget.checked })}
          />
          <Group gap={0} wrap="nowrap">
            <ActionIcon
              aria-label={t("attributes.up")}
              disabled={index === 0}
              onClick={() => swap(index, -1)}
              variant="transparent"
            >
              <IconArrowUp size={16} />
            </ActionIcon>
            <ActionIcon
              aria-label={t("attributes.down")}
              disabled={index === attributes.length - 1}
              onClick={() => swap(index, 1)}
              variant="transparent"
            >
              <IconArrowDown size={16} />
            </ActionIcon>
            <Tooltip label={t("action.delete")}>
              <ActionIcon
                aria-label={t("action.delete")}
                onClick={() => onChange(attributes.filter((_, at) => at !== index))}
              >
                <IconTrash size={16} />
              </ActionIcon>
            </Tooltip>
          </Group>
        </Group>
      ))}
      {error !== undefined && (
        <Text c="red" size="xs">
          {error}
        </Text>
      )}
      <Button variant="default" size="xs" leftSection={<IconPlus size={14} />} onClick={add} w="fit-content">
        {t("attributes.add")}
      </Button>
    </Stack>
  );
}
