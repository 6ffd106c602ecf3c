/** Giving a raster the coordinate system its file does not name. */
import { Autocomplete, Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import type { Raster } from "../../protocol/entities";
import { api } from "../../net/api";
import { ErrorNote } from "../parts/ErrorNote";
import { COMMON_CRS, crsCode } from "./crs";

export function CrsDialog({ raster, onClose }: { readonly raster: Raster; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const [text, setText] = useState("");
  const set = useMutation({ mutationFn: () => api.rasters.setCrs(raster.id, crsCode(text)), onSuccess: onClose });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    set.mutate();
  };
  return (
    <Modal opened onClose={onClose} title={t("crs.title", { name: raster.name })}>
      <form onSubmit={submit}>
        <Stack>
          <Text c="dimmed">{t("crs.text")}</Text>
          <ErrorNote error={set.error} />
          <Autocomplete
            label={t("crs.label")}
            placeholder="EPSG:32632"
            data={[...COMMON_CRS]}
            value={text}
            onChange={setText}
            data-autofocus
            data-testid="crs-input"
          />
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>
              {t("action.cancel")}
            </Button>
            <Button type="submit" disabled={text.trim() === ""} loading={set.isPending} data-testid="crs-submit">
              {t("crs.submit")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
