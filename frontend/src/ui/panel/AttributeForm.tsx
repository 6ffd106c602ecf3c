/** A shape's attributes, asked as its class says. */
import { Checkbox, NumberInput, Select, Stack, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { AttributeValue } from "../../protocol/entities";
import type { ClassAttribute } from "../../protocol/entities";

type Values = Readonly<Record<string, AttributeValue>>;

interface AttributeFormProps {
  readonly schema: readonly ClassAttribute[];
  readonly values: Values;
  readonly readOnly: boolean;
  /** Called when a field is left with another value than it had. */
  readonly onCommit: (values: Values) => void;
}

export function AttributeForm({ schema, values, readOnly, onCommit }: AttributeFormProps) {
  const commit = (key: string, value: AttributeValue | null) => {
    if ((values[key] ?? null) === value) return;
    const next: Record<string, AttributeValue> = { ...values };
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- a copy, keyed by the class schema
    if (value === null) delete next[key];
    else next[key] = value;
    onCommit(next);
  };
  return (
    <Stack gap="sm" data-testid="attribute-form">
      {schema.map((attribute) => (
        <Field
          // A value changed by somebody else starts the field anew.
          key={`${attribute.key}:${String(values[attribute.key] ?? "")}`}
          attribute={attribute}
          value={values[attribute.key] ?? null}
          readOnly={readOnly}
          onCommit={(value) => commit(attribute.key, value)}
        />
      ))}
    </Stack>
  );
}

interface FieldProps {
  readonly attribute: ClassAttribute;
  readonly value: AttributeValue | null;
  readonly readOnly: boolean;
  readonly onCommit: (value: AttributeValue | null) => void;
}

function Field({ attribute, value, readOnly, onCommit }: FieldProps) {
  const { t } = useTranslation();
  const [draft, setDraft] = useState(value === null ? "" : String(value));
  const missing = attribute.required && value === null;
  const common = {
    label: attribute.label,
    withAsterisk: attribute.required,
    "data-testid": `attribute-${attribute.key}`,
  };
  if (attribute.type === "boolean") {
    return (
      <Checkbox
        label={attribute.label}
        checked={value === true}
        indeterminate={value === null && attribute.required}
        disabled={readOnly}
        onChange={(event) => onCommit(event.currentTarget.checked)}
        data-testid={common["data-testid"]}
      />
    );
  }
  if (attribute.type === "choice") {
    return (
      <Select
        {...common}
        data={[...(attribute.choices ?? [])]}
        value={typeof value === "string" ? value : null}
        placeholder={t("panel.choose")}
        readOnly={readOnly}
        clearable={!attribute.required}
        error={missing && t("panel.missing")}
        onChange={onCommit}
      />
    );
  }
  if (attribute.type === "number") {
    return (
      <NumberInput
        {...common}
        value={draft}
        readOnly={readOnly}
        hideControls
        error={missing && t("panel.missing")}
        onChange={(next) => setDraft(String(next))}
        onBlur={() => onCommit(draft === "" || Number.isNaN(Number(draft)) ? null : Number(draft))}
        onKeyDown={(event) => {
          if (event.key === "Enter") event.currentTarget.blur();
        }}
      />
    );
  }
  const long = draft.length > 40;
  const text = {
    ...common,
    value: draft,
    readOnly,
    maxLength: 1000,
    error: missing && t("panel.missing"),
    onBlur: () => onCommit(draft.trim() === "" ? null : draft.trim()),
  };
  return long ? (
    <Textarea {...text} autosize maxRows={6} onChange={(event) => setDraft(event.currentTarget.value)} />
  ) : (
    <TextInput
      {...text}
      onChange={(event) => setDraft(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") event.currentTarget.blur();
      }}
    />
  );
}
