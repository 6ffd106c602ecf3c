/** Exports of the project: what was asked, how far it is, and the file. */
import {
  ActionIcon,
  Button,
  Group,
  Paper,
  Progress,
  Skeleton,
  Stack,
  Table,
  Text,
  Title,
  Tooltip,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconDownload, IconPackageExport, IconPlus, IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import type { Export } from "../../protocol/rest";
import { notifyError } from "../errors";
import { formatBytes, formatCount } from "../format";
import page from "../pages/Page.module.css";
import { EmptyState } from "../parts/EmptyState";
import { ErrorNote } from "../parts/ErrorNote";
import { RelativeTime } from "../parts/RelativeTime";
import { useClasses, useJobs, useRasters } from "../project";
import { keys } from "../query";
import { useUser } from "../session";
import { ExportDialog } from "./ExportDialog";

export function ExportSection({ projectId }: { readonly projectId: string }) {
  const { t } = useTranslation();
  const [asking, { open, close }] = useDisclosure(false);
  const exports = useQuery({
    queryKey: keys.exports(projectId),
    queryFn: () => api.exports.list(projectId),
    // Job messages may be lost; a running export is asked for again.
    refetchInterval: (query) => (query.state.data?.some(isRunning) === true ? 1500 : false),
  });
  const add = (
    <Button leftSection={<IconPlus size={16} />} onClick={open} data-testid="export-create">
      {t("exports.create")}
    </Button>
  );
  return (
    <Stack gap="lg">
      <Group justify="space-between">
        <Title order={1}>{t("exports.title")}</Title>
        {exports.data !== undefined && exports.data.length > 0 && add}
      </Group>
      <ErrorNote error={exports.error} onRetry={() => void exports.refetch()} />
      {exports.isPending && <Skeleton height={160} />}
      {exports.data?.length === 0 && (
        <EmptyState
          icon={<IconPackageExport size={26} />}
          title={t("exports.emptyTitle")}
          text={t("exports.emptyText")}
          action={add}
          testId="exports-empty"
        />
      )}
      {exports.data !== undefined && exports.data.length > 0 && (
        <Paper withBorder className={page["panel"]}>
          <Table verticalSpacing="sm" data-testid="export-list">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t("exports.file")}</Table.Th>
                <Table.Th>{t("exports.filters")}</Table.Th>
                <Table.Th>{t("exports.made")}</Table.Th>
                <Table.Th w={220}>{t("exports.state")}</Table.Th>
                <Table.Th w={96} />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {exports.data.map((one) => (
                <ExportRow key={one.id} projectId={projectId} one={one} />
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
      {asking && <ExportDialog projectId={projectId} onClose={close} />}
    </Stack>
  );
}

function ExportRow({ projectId, one }: { readonly projectId: string; readonly one: Export }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const user = useUser();
  const remove = useMutation({
    mutationFn: () => api.exports.remove(one.id),
    onSettled: () => client.invalidateQueries({ queryKey: keys.exports(projectId) }),
    onError: notifyError,
  });
  const mine = one.created_by?.id === user.id;
  return (
    <Table.Tr data-testid={`export-${one.id}`} data-state={one.state}>
      <Table.Td>
        <Text fw={500}>{one.filename === "" ? t(`exports.format.${one.format}`) : one.filename}</Text>
        <Text size="xs" c="dimmed">
          {t(`exports.format.${one.format}`)} · {one.crs}
          {one.size_bytes !== null && ` · ${formatBytes(one.size_bytes)}`}
        </Text>
      </Table.Td>
      <Table.Td>
        <FilterWords one={one} />
      </Table.Td>
      <Table.Td>
        <Text>{mine ? t("members.me") : (one.created_by?.display_name ?? t("members.former"))}</Text>
        <Text size="xs" c="dimmed">
          <RelativeTime iso={one.created_at} />
        </Text>
      </Table.Td>
      <Table.Td>
        <ExportState one={one} />
      </Table.Td>
      <Table.Td>
        <Group gap={0} justify="flex-end" wrap="nowrap">
          {one.state === "done" && (
            <Tooltip label={t("exports.download")}>
              <ActionIcon
                component="a"
                href={`/api/exports/${one.id}/download`}
                download
                variant="filled"
                color="edge"
                aria-label={t("exports.download")}
                data-testid="export-download"
              >
                <IconDownload size={18} />
              </ActionIcon>
            </Tooltip>
          )}
          <Tooltip label={t("action.delete")}>
            <ActionIcon onClick={() => remove.mutate()} aria-label={t("action.delete")} ml={4}>
              <IconTrash size={18} />
            </ActionIcon>
          </Tooltip>
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

function ExportState({ one }: { readonly one: Export }) {
  const { t } = useTranslation();
  const live = useJobs().find((job) => job.id === one.job);
  if (one.state === "failed") {
    return (
      <Text c="var(--mantine-color-error)" size="xs">
        {one.error?.message ?? t("exports.failed")}
      </Text>
    );
  }
  if (one.state === "done") return <Text>{t("exports.shapes", { n: formatCount(one.done) })}</Text>;
  const done = Math.max(one.done, live?.done ?? 0);
  const total = Math.max(one.total ?? 0, live?.total ?? 0);
  return (
    <Stack gap={4}>
      <Progress
        value={total > 0 ? (100 * done) / total : 100}
        animated={total === 0}
        aria-label={t("exports.progress")}
      />
      <Text size="xs" c="dimmed">
        {total > 0 ? `${formatCount(done)} / ${formatCount(total)}` : t(`jobState.${one.state}`)}
      </Text>
    </Stack>
  );
}

function FilterWords({ one }: { readonly one: Export }) {
  const { t } = useTranslation();
  const classes = useClasses();
  const rasters = useRasters();
  const { filters } = one;
  const words: string[] = [];
  const names = (filters.label_class ?? []).map(
    (id) => classes.find((labelClass) => labelClass.id === id)?.name ?? t("classes.gone"),
  );
  if (names.length > 0) words.push(names.join(", "));
  const states = (filters.status ?? []).map((status) => t(`status.${status}`));
  if (states.length > 0) words.push(states.join(", "));
  if (filters.raster !== null && filters.raster !== undefined) {
    words.push(rasters.find((raster) => raster.id === filters.raster)?.name ?? t("raster.gone"));
  }
  if (filters.bbox !== undefined || filters.area !== undefined) words.push(t("exports.area"));
  return (
    <Text c={words.length === 0 ? "dimmed" : undefined}>
      {words.length === 0 ? t("exports.all") : words.join(" · ")}
    </Text>
  );
}

function isRunning(one: Export): boolean {
  return one.state === "queued" || one.state === "running" || one.state === "cancelling";
}
