/** A file on its way to the server. */
import { ActionIcon, Group, Paper, Progress, Stack, Text, Tooltip } from "@mantine/core";
import { IconFileUpload, IconPlayerPause, IconPlayerPlay, IconX } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { formatBytes, formatDuration } from "../format";
import classes from "./RasterCard.module.css";
import type { UploadItem } from "./uploads";

interface UploadCardProps {
  readonly upload: UploadItem;
  readonly onPause: () => void;
  readonly onResume: () => void;
  readonly onCancel: () => void;
}

export function UploadCard({ upload, onPause, onResume, onCancel }: UploadCardProps) {
  const { t } = useTranslation();
  const share = upload.size === 0 ? 0 : (100 * upload.sent) / upload.size;
  const rest =
    upload.state === "paused"
      ? t("upload.paused")
      : upload.secondsLeft === null
        ? t("upload.starting")
        : t("progress.left", { time: formatDuration(upload.secondsLeft) });
  return (
    <Paper withBorder className={classes["card"]} data-testid={`upload-${upload.name}`}>
      <div className={classes["thumb"]}>
        <IconFileUpload size={36} className={classes["ghost"]} />
      </div>
      <Stack gap="sm" p="md">
        <Group justify="space-between" wrap="nowrap">
          <Text fw={600} truncate>
            {upload.name}
          </Text>
          <Group gap={0} wrap="nowrap">
            {upload.state === "sending" ? (
              <Tooltip label={t("upload.pause")}>
                <ActionIcon onClick={onPause} aria-label={t("upload.pause")}>
                  <IconPlayerPause size={18} />
                </ActionIcon>
              </Tooltip>
            ) : (
              <Tooltip label={t("upload.resume")}>
                <ActionIcon onClick={onResume} aria-label={t("upload.resume")}>
                  <IconPlayerPlay size={18} />
                </ActionIcon>
              </Tooltip>
            )}
            <Tooltip label={t("upload.cancel")}>
              <ActionIcon onClick={onCancel} aria-label={t("upload.cancel")}>
                <IconX size={18} />
              </ActionIcon>
            </Tooltip>
          </Group>
        </Group>
        <Progress
          value={share}
          color={upload.state === "failed" ? "red" : undefined}
          aria-label={t("upload.progress", { name: upload.name })}
          data-testid="upload-progress"
        />
        {upload.state === "failed" ? (
          <Text c="var(--mantine-color-error)" size="xs">
            {upload.error}
          </Text>
        ) : (
          <Group justify="space-between">
            <Text c="dimmed" size="xs">
              {t("upload.sent", { sent: formatBytes(upload.sent), size: formatBytes(upload.size) })}
            </Text>
            <Text c="dimmed" size="xs">
              {rest}
            </Text>
          </Group>
        )}
      </Stack>
    </Paper>
  );
}
