/** Which model the project has, what another one would cost, and how far the change has come. */
import { Alert, Badge, Button, Group, Progress, Radio, Skeleton, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import type { ModelChoice, ProjectModel } from "../../protocol/models";
import { isActive } from "../data/rasterFacts";
import { notifyDone } from "../errors";
import { formatBytes, formatCount, formatDuration } from "../format";
import { ErrorNote } from "../parts/ErrorNote";
import { useJobs, useRole } from "../project";
import { keys } from "../query";

const FOLLOW_MS = 2_000;

export function ModelSection({ projectId }: { readonly projectId: string }) {
  const { t } = useTranslation();
  const model = useQuery({
    queryKey: keys.model(projectId),
    queryFn: () => api.models.ofProject(projectId),
    refetchInterval: ({ state }) => (state.data !== undefined && isBehind(state.data) ? FOLLOW_MS : false),
  });
  return (
    <Stack>
      <div>
        <Title order={2}>{t("model.title")}</Title>
        <Text c="dimmed">{t("model.text")}</Text>
      </div>
      <ErrorNote error={model.error} onRetry={() => void model.refetch()} />
      {model.isPending && <Skeleton height={160} />}
      {model.data !== undefined && <Choice projectId={projectId} said={model.data} />}
    </Stack>
  );
}

function Choice({ projectId, said }: { readonly projectId: string; readonly said: ProjectModel }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const owner = useRole() === "owner";
  const [wanted, setWanted] = useState(said.chosen);
  const save = useMutation({
    mutationFn: () => api.models.choose(projectId, wanted),
    onSuccess: (changed) => {
      client.setQueryData(keys.model(projectId), changed);
      notifyDone(t("model.used"));
    },
  });
  const found = said.models.find((one) => one.name === (wanted === "" ? said.default : wanted));
  return (
    <>
      {said.error !== null && (
        <Alert color="red" variant="light" icon={<IconAlertTriangle size={18} />} p="sm" data-testid="model-problem">
          {said.error}
        </Alert>
      )}
      <Following said={said} />
      <Radio.Group value={wanted} onChange={setWanted} aria-label={t("model.choose")}>
        <Stack gap="sm" data-testid="model-choices">
          <Radio
            value=""
            disabled={!owner}
            label={t("model.default")}
            description={t("model.defaultNow", { name: said.default ?? t("model.none") })}
            data-testid="model-default"
          />
          {said.models.map((one) => (
            <Radio
              key={one.name}
              value={one.name}
              disabled={!owner}
              label={
                <Group gap="sm">
                  <span>{one.name}</span>
                  {one.hash === said.model?.hash && <Badge variant="light">{t("model.inUse")}</Badge>}
                </Group>
              }
              description={[one.architecture, readyWords(one, said)].filter((word) => word !== "").join(" · ")}
              data-testid={`model-${one.name}`}
            />
          ))}
        </Stack>
      </Radio.Group>
      <ErrorNote error={save.error} />
      {owner ? (
        <Group justify="space-between" wrap="nowrap" gap="lg">
          <Text c="dimmed" data-testid="model-cost">
            {wanted !== said.chosen && found !== undefined && <Cost choice={found} said={said} />}
          </Text>
          <Button
            flex="none"
            onClick={() => save.mutate()}
            loading={save.isPending}
            disabled={wanted === said.chosen}
            data-testid="model-save"
          >
            {t("model.use")}
          </Button>
        </Group>
      ) : (
        <Text c="dimmed">{t("model.ownersOnly")}</Text>
      )}
    </>
  );

  function readyWords(one: ModelChoice, { encoded }: ProjectModel): string {
    if (encoded === 0) return t("model.nothingEncoded");
    return t("model.ready", { ready: formatCount(one.ready), total: formatCount(encoded) });
  }
}

function Cost({ choice, said }: { readonly choice: ModelChoice; readonly said: ProjectModel }) {
  const { t } = useTranslation();
  const count = said.encoded - choice.ready;
  if (count === 0) return t("model.costNothing");
  const time = formatDuration(choice.minutes * 60);
  return t("model.cost", { count, time, size: formatBytes(choice.megabytes * 1e6) });
}

/** The change under way: windows that the new model has of those that any model has. */
function Following({ said }: { readonly said: ProjectModel }) {
  const { t } = useTranslation();
  const encoding = useJobs().some((job) => job.kind === "encode" && isActive(job));
  const now = said.models.find((one) => one.hash === said.model?.hash);
  if (now === undefined || !isBehind(said)) return null;
  const counts = { ready: formatCount(now.ready), total: formatCount(said.encoded), name: now.name };
  return (
    <Stack gap={4} data-testid="model-progress">
      <Progress
        value={(100 * now.ready) / said.encoded}
        animated={encoding}
        size={6}
        aria-label={t("model.progress", { name: now.name })}
      />
      <Text size="sm" c="dimmed">
        {t("model.progressText", counts)}
        {!encoding && ` ${t("model.progressIdle")}`}
      </Text>
    </Stack>
  );
}

function isBehind(said: ProjectModel): boolean {
  const now = said.models.find((one) => one.hash === said.model?.hash);
  return now !== undefined && now.ready < said.encoded;
}
