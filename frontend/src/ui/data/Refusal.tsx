/** Why a file was refused, and the way out of it. */
import { Alert, Button, FileButton, Group, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { Raster } from "../../protocol/entities";
import { api } from "../../net/api";
import { notifyDone, notifyError } from "../errors";
import { CrsDialog } from "./CrsDialog";
import { uploadSidecar } from "./uploads";

interface RefusalProps {
  readonly projectId: string;
  readonly raster: Raster;
  readonly owner: boolean;
}

export function Refusal({ projectId, raster, owner }: RefusalProps) {
  const { t } = useTranslation();
  const [choosing, { open: choose, close: stopChoosing }] = useDisclosure(false);
  const retry = useMutation({ mutationFn: () => api.rasters.retry(raster.id), onError: notifyError });
  const sidecar = useMutation({
    mutationFn: (file: File) => uploadSidecar(projectId, raster.id, file),
    onSuccess: () => notifyDone(t("raster.sidecarSent")),
    onError: notifyError,
  });
  const { error } = raster;
  const placeable = error !== null && ["raster.no_crs", "raster.no_transform", "raster.bad_crs"].includes(error.code);
  const words = error?.message ?? t("raster.refused");
  const remedy = error?.remedy ?? "";
  return (
    <Stack gap="sm" data-testid="raster-refused">
      <Alert color="orange" variant="light" p="sm" icon={<IconAlertTriangle size={18} />}>
        <Text>{words}</Text>
        {remedy !== "" && remedy !== words && <Text mt={4}>{remedy}</Text>}
      </Alert>
      {owner && (
        <Group gap="sm">
          {placeable && (
            <>
              <Button size="xs" onClick={choose} data-testid="raster-choose-crs">
                {t("raster.chooseCrs")}
              </Button>
              <FileButton
                onChange={(file) => {
                  if (file !== null) sidecar.mutate(file);
                }}
                accept=".tfw,.tifw,.wld,.xml,.prj"
              >
                {(props) => (
                  <Button {...props} size="xs" variant="default" loading={sidecar.isPending}>
                    {t("raster.sidecar")}
                  </Button>
                )}
              </FileButton>
            </>
          )}
          {!placeable && (
            <Button size="xs" variant="default" onClick={() => retry.mutate()} loading={retry.isPending}>
              {t("raster.retry")}
            </Button>
          )}
        </Group>
      )}
      {choosing && <CrsDialog raster={raster} onClose={stopChoosing} />}
    </Stack>
  );
}
