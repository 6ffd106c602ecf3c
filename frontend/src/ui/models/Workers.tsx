/** The processes that encode: which live, what each serves, and what it encodes with. */
import { Badge, Group, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import type { Worker } from "../../protocol/models";
import { ErrorNote } from "../parts/ErrorNote";
import { RelativeTime } from "../parts/RelativeTime";
import { keys } from "../query";
import classes from "./Models.module.css";

const LOOK_MS = 5_000; // a worker says that it lives every few seconds

export function Workers() {
  const { t } = useTranslation();
  const workers = useQuery({ queryKey: keys.workers, queryFn: () => api.workers(), refetchInterval: LOOK_MS });
  const found = workers.data ?? [];
  return (
    <Stack gap="xs" data-testid="workers">
      <div>
        <Title order={2}>{t("workers.title")}</Title>
        <Text c="dimmed">{t("workers.text")}</Text>
      </div>
      {workers.isError && <ErrorNote error={workers.error} onRetry={() => void workers.refetch()} />}
      {workers.isSuccess && !found.some((worker) => worker.alive) && (
        <Text size="sm" c="var(--mantine-color-error)" data-testid="workers-none">
          {t("workers.none")}
        </Text>
      )}
      <div>
        {found.map((worker) => (
          <Row key={worker.name} worker={worker} />
        ))}
      </div>
    </Stack>
  );
}

function Row({ worker }: { readonly worker: Worker }) {
  const { t } = useTranslation();
  const { can } = worker;
  return (
    <section className={classes["model"]} data-testid={`worker-${worker.name}`}>
      <Group gap="sm" mb={6}>
        <Text fw={600}>{worker.name}</Text>
        <Badge variant="light" color={worker.alive ? "green" : "gray"}>
          {t(worker.alive ? "workers.alive" : "workers.away")}
        </Badge>
        <Text c="dimmed" size="sm">
          {t("workers.seen")} <RelativeTime iso={worker.seen_at} />
        </Text>
      </Group>
      <dl className={classes["facts"]}>
        <div>
          <dt>{t("workers.lanes")}</dt>
          <dd>{worker.lanes.map((lane) => t(`workers.lane.${lane}`)).join(", ")}</dd>
        </div>
        {can !== null && (
          <>
            <div>
              <dt>{t("models.encoders")}</dt>
              <dd>{t(`workers.encoder.${can.encoder}`)}</dd>
            </div>
            <div>
              <dt>{t(can.card === "" ? "workers.memory" : "workers.card")}</dt>
              <dd>{[can.card, memory(can.memory_mb)].filter((word) => word !== "").join(", ")}</dd>
            </div>
            <div className={classes["wide"]}>
              <dt>{t("workers.models")}</dt>
              <dd>{can.models.map((name) => withCard(name, can.card_models, t("workers.onCard"))).join(", ")}</dd>
            </div>
          </>
        )}
      </dl>
      {can !== null && can.why !== "" && (
        <Text size="sm" c="var(--mantine-color-error)" mt={4}>
          {can.why}
        </Text>
      )}
    </section>
  );
}

/** Gibibytes, as memory is sold; nothing where only the runtime knows it. */
function memory(megabytes: number): string {
  return megabytes === 0 ? "" : `${Math.round(megabytes / 1024)} GB`;
}

function withCard(name: string, onCard: readonly string[], words: string): string {
  return onCard.includes(name) ? `${name} (${words})` : name;
}
