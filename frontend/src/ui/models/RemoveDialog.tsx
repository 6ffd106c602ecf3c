/** Removing a model: what goes, and which model those projects get that have it. */
import { Button, Group, Modal, Select, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import type { InstalledModel, ModelsPage } from "../../protocol/models";
import { formatBytes } from "../format";
import { ErrorNote } from "../parts/ErrorNote";
import { keys } from "../query";

interface RemoveDialogProps {
  readonly model: InstalledModel;
  readonly page: ModelsPage;
  readonly onClose: () => void;
}

export function RemoveDialog({ model, page, onClose }: RemoveDialogProps) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const used = model.projects.length > 0;
  const [moveTo, setMoveTo] = useState("");
  const remove = useMutation({
    mutationFn: () => api.models.remove(model.name, used ? moveTo : null),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: keys.models });
      onClose();
    },
  });
  const others = page.installed.filter((one) => one.name !== model.name && one.error === null);
  return (
    <Modal opened onClose={onClose} title={t("models.removeTitle", { name: model.name })}>
      <Stack>
        <Text>{t("models.removeText", { size: formatBytes(model.bytes) })}</Text>
        {used && (
          <>
            <Text>
              {t("models.removeUsed", {
                count: model.projects.length,
                names: model.projects.map((project) => project.name).join(", "),
              })}
            </Text>
            <Select
              label={t("models.moveTo")}
              value={moveTo}
              onChange={(value) => setMoveTo(value ?? "")}
              data={[
                { value: "", label: `${t("model.default")} (${page.default.name ?? t("model.none")})` },
                ...others.map((one) => ({ value: one.name, label: one.name })),
              ]}
              data-testid="remove-move-to"
            />
          </>
        )}
        <ErrorNote error={remove.error} />
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onClose}>
            {t("action.cancel")}
          </Button>
          <Button color="red" onClick={() => remove.mutate()} loading={remove.isPending} data-testid="remove-confirm">
            {t("models.remove")}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
