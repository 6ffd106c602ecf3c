/** What the workers do for this project, with progress, time to go, cancel and retry. */
import { Group, Indicator, Popover, RingProgress, ScrollArea, Stack, Text, UnstyledButton } from "@mantine/core";
import { IconListCheck, IconStack2 } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { Job } from "../../protocol/entities";
import { api } from "../../net/api";
import { isActive, jobShare } from "../data/rasterFacts";
import { notifyError } from "../errors";
import { formatCount, formatDuration } from "../format";
import { EmptyState } from "../parts/EmptyState";
import { JobBar, JobButtons } from "../parts/JobControls";
import { RelativeTime } from "../parts/RelativeTime";
import { useCanWork, useJobs, useRasters } from "../project";
import classes from "./JobsMenu.module.css";

const SHOWN = 20;

export function JobsMenu() {
  const { t } = useTranslation();
  const jobs = useJobs();
  const active = jobs.filter(isActive);
  const share = active.length === 0 ? 0 : active.reduce((sum, job) => sum + jobShare(job), 0) / active.length;
  const failed = jobs.some((job) => job.state === "failed");
  const label = active.length === 0 ? t("jobs.none") : t("jobs.running", { count: active.length });
  return (
    <Popover position="bottom-end" width={380} trapFocus>
      <Popover.Target>
        <UnstyledButton className={classes["button"]} aria-label={label} title={label} data-testid="jobs-menu">
          {active.length === 0 ? (
            <Indicator disabled={!failed} color="orange" size={8} offset={2}>
              <IconStack2 size={18} />
            </Indicator>
          ) : (
            <>
              <RingProgress size={22} thickness={3} roundCaps sections={[{ value: share, color: "edge.5" }]} />
              <span>{active.length}</span>
            </>
          )}
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown p={0} data-testid="jobs-popover">
        <Text fw={600} p="md" pb="sm">
          {t("jobs.title")}
        </Text>
        {jobs.length === 0 ? (
          <EmptyState
            compact
            icon={<IconListCheck size={18} />}
            title={t("jobs.emptyTitle")}
            text={t("jobs.emptyText")}
          />
        ) : (
          <ScrollArea.Autosize mah={400} type="auto">
            {jobs.slice(0, SHOWN).map((job) => (
              <JobRow key={job.id} job={job} />
            ))}
          </ScrollArea.Autosize>
        )}
      </Popover.Dropdown>
    </Popover>
  );
}

function JobRow({ job }: { readonly job: Job }) {
  const { t } = useTranslation();
  const rasters = useRasters();
  const mayStop = useCanWork();
  const cancel = useMutation({ mutationFn: () => api.jobs.cancel(job.id), onError: notifyError });
  const retry = useMutation({ mutationFn: () => api.jobs.retry(job.id), onError: notifyError });
  const raster = rasters.find((one) => one.id === job.raster);
  const active = isActive(job);
  const title = raster === undefined ? t(`jobKind.${job.kind}`) : `${t(`jobKind.${job.kind}`)}: ${raster.name}`;
  return (
    <Stack gap={4} className={classes["row"]} data-testid={`job-${job.id}`} data-state={job.state}>
      <Group justify="space-between" wrap="nowrap" gap="sm">
        <Text fw={500} truncate>
          {title}
        </Text>
        {mayStop && <JobButtons job={job} cancel={cancel} retry={retry} name="job" />}
      </Group>
      <JobBar job={job} title={title} moves={job.total === 0 || job.state === "queued"} />
      <Group justify="space-between" gap="sm">
        <Text size="xs" c={job.state === "failed" ? "var(--mantine-color-error)" : "dimmed"}>
          {job.state === "failed" && job.error !== null ? job.error.message : <JobCount job={job} />}
        </Text>
        <Text size="xs" c="dimmed">
          {active ? (
            job.eta_seconds !== null && t("progress.left", { time: formatDuration(job.eta_seconds) })
          ) : (
            <RelativeTime iso={job.created_at} />
          )}
        </Text>
      </Group>
    </Stack>
  );
}

function JobCount({ job }: { readonly job: Job }) {
  const { t } = useTranslation();
  const words: string[] = [t(`jobState.${job.state}`)];
  if (job.total > 0) {
    const counts = { done: formatCount(job.done + job.skipped), total: formatCount(job.total) };
    words.push(
      job.kind === "prepare"
        ? t("jobs.percent", { n: Math.round(jobShare(job)) })
        : t(job.kind === "encode" ? "jobs.windows" : "jobs.shapes", counts),
    );
  }
  if (job.skipped > 0) words.push(t("jobs.empty", { n: formatCount(job.skipped) }));
  if (job.failed > 0) words.push(t("jobs.failed", { n: formatCount(job.failed) }));
  return words.join(" · ");
}
