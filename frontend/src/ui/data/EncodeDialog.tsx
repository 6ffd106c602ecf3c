/** What encoding a raster costs, before it starts. */
import { Alert, Button, Group, Modal, Select, Skeleton, Stack, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Raster } from "../../protocol/entities";
import { api } from "../../net/api";
import { formatBytes, formatCount, formatDuration } from "../format";
import { ErrorNote } from "../parts/ErrorNote";
import { keys } from "../query";
import classes from "./EncodeDialog.module.css";

const STRIDES = [1024, 896, 768, 512] as const;

export function EncodeDialog({ raster, onClose }: { readonly raster: Raster; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const [stride, setStride] = useState<number>(896);
  const plan = useQuery({
    queryKey: keys.encodePlan(raster.id, stride),
    queryFn: () => api.rasters.encodePlan(raster.id, stride),
    staleTime: 0,
  });
  const start = useMutation({ mutationFn: () => api.rasters.encode(raster.id, stride), onSuccess: onClose });
  const missing = plan.data === undefined ? 0 : Math.max(plan.data.fits - plan.data.ready, 0);
  const tooLarge = plan.data !== undefined && plan.data.fits < plan.data.windows;
  return (
    <Modal opened onClose={onClose} title={t("encode.title", { name: raster.name })}>
      <Stack>
        <Text c="dimmed">{t("encode.text")}</Text>
        <Select
          label={t("encode.overlap")}
          description={t("encode.overlapHelp")}
          value={String(stride)}
          onChange={(value) => setStride(Number(value))}
          data={STRIDES.map((one) => ({
            value: String(one),
            label: t("encode.overlapOf", { pixels: 1024 - one, percent: Math.round((100 * (1024 - one)) / 1024) }),
          }))}
        />
        <ErrorNote error={plan.error} onRetry={() => void plan.refetch()} />
        <div className={classes["plan"]} data-testid="encode-plan" aria-busy={plan.isPending}>
          <Figure label={t("encode.windows")} value={plan.data && formatCount(missing)} />
          <Figure label={t("encode.space")} value={plan.data && formatBytes(plan.data.megabytes * 1e6)} />
          <Figure label={t("encode.time")} value={plan.data && formatDuration(plan.data.minutes * 60)} />
        </div>
        {plan.data !== undefined && (
          <Text size="xs" c="dimmed">
            {t("encode.detail", { model: plan.data.model ?? "–", ready: formatCount(plan.data.ready) })}{" "}
            {t("encode.perArea", { size: formatBytes(plan.data.megabytes_per_km2 * 1e6) })}
          </Text>
        )}
        {plan.data !== undefined && tooLarge && (
          <Alert variant="light" color="yellow" p="sm" data-testid="encode-too-large">
            {t("encode.tooLarge", {
              fits: formatCount(plan.data.fits),
              windows: formatCount(plan.data.windows),
            })}
          </Alert>
        )}
        {plan.data !== undefined && missing === 0 && !tooLarge && (
          <Alert variant="light" color="green" p="sm">
            {t("encode.nothing")}
          </Alert>
        )}
        <ErrorNote error={start.error} />
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onClose}>
            {t("action.cancel")}
          </Button>
          <Button
            onClick={() => start.mutate()}
            loading={start.isPending}
            disabled={missing === 0}
            data-testid="encode-start"
          >
            {t("encode.start")}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Figure({ label, value }: { readonly label: string; readonly value: string | undefined }) {
  return (
    <div className={classes["figure"]}>
      {value === undefined ? <Skeleton height={24} width={72} mx="auto" /> : <strong>{value}</strong>}
      <span>{label}</span>
    </div>
  );
}
