/** What the worker does or has lately done with models: the step it is at, how far, cancel and retry. */
import { Group, Stack, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import type { ModelWork } from "../../protocol/models";
import { isActive } from "../data/rasterFacts";
import { formatBytes, formatCount, formatDuration } from "../format";
import { JobBar, JobButtons } from "../parts/JobControls";
import { RelativeTime } from "../parts/RelativeTime";
import classes from "./Models.module.css";
import { usePageAction } from "./usePageAction";

const SHOWN = 6;

export function Work({ jobs }: { readonly jobs: readonly ModelWork[] }) {
  const { t } = useTranslation();
  return (
    <Stack>
      <Title order={2}>{t("models.work")}</Title>
      <Stack gap="md" data-testid="models-work">
        {jobs.slice(0, SHOWN).map((job) => (
          <Row key={job.id} job={job} />
        ))}
      </Stack>
    </Stack>
  );
}

function Row({ job }: { readonly job: ModelWork }) {
  const { t } = useTranslation();
  const cancel = usePageAction(() => api.jobs.cancel(job.id));
  const retry = usePageAction(() => api.jobs.retry(job.id));
  const active = isActive(job);
  const name = /^[0-9a-f]{16}$/.test(job.model) ? `${job.model}…` : job.model;
  const title = t(`models.action.${job.action}`, { name });
  return (
    <Stack gap={4} data-testid={`work-${job.action}-${job.model}`} data-state={job.state}>
      <Group justify="space-between" wrap="nowrap">
        <Text fw={500} truncate>
          {title}
        </Text>
        <JobButtons job={job} cancel={cancel} retry={retry} name="work" />
      </Group>
      <JobBar job={job} title={title} moves={job.total === 0} />
      <Group justify="space-between" gap="sm" wrap="nowrap" align="flex-start">
        <Text
          size="xs"
          className={classes["words"]}
          c={job.state === "failed" ? "var(--mantine-color-error)" : "dimmed"}
          data-testid="work-words"
        >
          <Words job={job} />
        </Text>
        <Text size="xs" c="dimmed" flex="none">
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

function Words({ job }: { readonly job: ModelWork }) {
  const { t } = useTranslation();
  if (job.state === "failed" && job.error !== null) return job.error.message;
  if (job.state === "queued") return t("models.notStarted");
  const words: string[] = [t(`jobState.${job.state}`)];
  if (isActive(job) && job.step !== null) words.push(job.step);
  if (isActive(job) && job.total > 0) words.push(counted(job));
  return words.join(" · ");

  function counted({ action, done, total }: ModelWork): string {
    // A download is counted in kilobytes.
    if (action === "install")
      return t("models.bytes", { done: formatBytes(done * 1000), total: formatBytes(total * 1000) });
    const counts = { done: formatCount(done), total: formatCount(total) };
    return t(action === "verify" ? "models.prompts" : "models.windows", counts);
  }
}
