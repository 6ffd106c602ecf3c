/** Asking for an export: format, coordinate system, and which shapes. */
import {
  Autocomplete,
  Button,
  Group,
  Modal,
  MultiSelect,
  SegmentedControl,
  Select,
  Stack,
  Switch,
  Text,
} from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import type { ExportFormat } from "../../protocol/rest";
import { ErrorNote } from "../parts/ErrorNote";
import { STATUSES } from "../parts/StatusMark";
import { useClasses, useMapExtent, useRasters } from "../project";
import { keys } from "../query";
import { COMMON_CRS, crsCode } from "./crs";

const FORMATS: readonly ExportFormat[] = ["geojson", "gpkg"];

export function ExportDialog({ projectId, onClose }: { readonly projectId: string; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const classes = useClasses();
  const rasters = useRasters();
  const extent = useMapExtent();
  const [format, setFormat] = useState<ExportFormat>("geojson");
  const [crs, setCrs] = useState("EPSG:4326");
  const [classIds, setClassIds] = useState<string[]>([]);
  const [statuses, setStatuses] = useState<string[]>([]);
  const [raster, setRaster] = useState("");
  const [onlyView, setOnlyView] = useState(false);
  const create = useMutation({
    mutationFn: () =>
      api.exports.create(projectId, {
        format,
        crs: crsCode(crs),
        filters: {
          label_class: classIds,
          status: STATUSES.filter((status) => statuses.includes(status)),
          ...(raster === "" ? {} : { raster }),
          ...(onlyView && extent !== null ? { bbox: [...extent] } : {}),
        },
      }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: keys.exports(projectId) });
      onClose();
    },
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <Modal opened onClose={onClose} title={t("exports.createTitle")}>
      <form onSubmit={submit}>
        <Stack>
          <ErrorNote error={create.error} />
          <div>
            <Text fw={500} mb={4}>
              {t("exports.formatLabel")}
            </Text>
            <SegmentedControl
              fullWidth
              value={format}
              onChange={(value) => setFormat(value)}
              data={FORMATS.map((value) => ({ value, label: t(`exports.format.${value}`) }))}
              data-testid="export-format"
            />
            <Text size="xs" c="dimmed" mt={4}>
              {t(`exports.formatHelp.${format}`)}
            </Text>
          </div>
          <Autocomplete
            label={t("exports.crs")}
            description={t(format === "geojson" ? "exports.crsGeojson" : "exports.crsHelp")}
            data={[...COMMON_CRS]}
            value={crs}
            onChange={setCrs}
            data-testid="export-crs"
          />
          <MultiSelect
            label={t("exports.classes")}
            placeholder={classIds.length === 0 ? t("exports.allClasses") : ""}
            data={classes.map((one) => ({ value: one.id, label: one.name }))}
            value={classIds}
            onChange={setClassIds}
            clearable
            data-testid="export-classes"
          />
          <MultiSelect
            label={t("exports.statuses")}
            placeholder={statuses.length === 0 ? t("exports.allStatuses") : ""}
            data={STATUSES.map((status) => ({ value: status, label: t(`status.${status}`) }))}
            value={statuses}
            onChange={setStatuses}
            clearable
            data-testid="export-statuses"
          />
          <Select
            label={t("exports.raster")}
            data={[
              { value: "", label: t("exports.allRasters") },
              ...rasters.map((one) => ({ value: one.id, label: one.name })),
            ]}
            value={raster}
            onChange={(value) => setRaster(value ?? "")}
          />
          <Switch
            label={t("exports.onlyView")}
            description={t(extent === null ? "exports.noView" : "exports.onlyViewHelp")}
            disabled={extent === null}
            checked={onlyView}
            onChange={(event) => setOnlyView(event.currentTarget.checked)}
          />
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>
              {t("action.cancel")}
            </Button>
            <Button type="submit" loading={create.isPending} data-testid="export-submit">
              {t("exports.start")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
