/** What happened in the project, in words, newest first. */
import { Button, Center, Group, Paper, Skeleton, Stack, Text, Title, UnstyledButton } from "@mantine/core";
import { IconHistory } from "@tabler/icons-react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import type { ProjectEvent } from "../../protocol/entities";
import { api } from "../../net/api";
import { formatCount, formatDate } from "../format";
import page from "../pages/Page.module.css";
import { EmptyState } from "../parts/EmptyState";
import { ErrorNote } from "../parts/ErrorNote";
import { PersonDot } from "../parts/PersonDot";
import { RelativeTime } from "../parts/RelativeTime";
import { useClasses, useMembers, useSeq } from "../project";
import { keys } from "../query";
import classes from "./ActivityScreen.module.css";
import { eventWords, sameDay } from "./eventWords";

const STEP = 100;

export function ActivityScreen({ projectId }: { readonly projectId: string }) {
  const { t } = useTranslation();
  const seq = useSeq();
  const [wanted, setWanted] = useState(STEP);
  const since = Math.max(0, seq - wanted);
  const events = useQuery({
    queryKey: [...keys.events(projectId), since, seq],
    queryFn: ({ signal }) => api.projects.events(projectId, since, Math.min(500, wanted), signal),
    placeholderData: keepPreviousData,
  });
  const newestFirst = [...(events.data?.events ?? [])].reverse();
  return (
    <main className={page["scroll"]} data-testid="activity-screen">
      <Stack className={`${page["column"] ?? ""} ${page["narrow"] ?? ""}`} gap="lg">
        <Title order={1}>{t("activity.title")}</Title>
        <ErrorNote error={events.error} onRetry={() => void events.refetch()} />
        {events.isPending && <Skeleton height={240} />}
        {events.data !== undefined && newestFirst.length === 0 && (
          <EmptyState
            icon={<IconHistory size={26} />}
            title={t("activity.emptyTitle")}
            text={t("activity.emptyText")}
          />
        )}
        {newestFirst.length > 0 && (
          <Paper withBorder className={page["panel"]} component="ol" m={0} p={0} data-testid="activity-list">
            {newestFirst.map((event, index) => (
              <Entry
                key={event.seq}
                projectId={projectId}
                event={event}
                newDay={index === 0 || !sameDay(event.at, newestFirst[index - 1]?.at ?? "")}
              />
            ))}
          </Paper>
        )}
        {since > 0 && wanted < 500 && (
          <Center>
            <Button
              variant="default"
              loading={events.isFetching}
              onClick={() => setWanted((old) => Math.min(500, old + STEP))}
            >
              {t("activity.more")}
            </Button>
          </Center>
        )}
        {since > 0 && (
          <Text c="dimmed" size="xs" ta="center">
            {t("activity.earlierCount", { n: formatCount(newestFirst.length), total: formatCount(seq) })}
          </Text>
        )}
      </Stack>
    </main>
  );
}

interface EntryProps {
  readonly projectId: string;
  readonly event: ProjectEvent;
  readonly newDay: boolean;
}

function Entry({ projectId, event, newDay }: EntryProps) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const labelClasses = useClasses();
  const members = useMembers();
  const { words, annotationId, alone } = eventWords(event, labelClasses);
  const actor = event.actor?.display_name ?? t("activity.system");
  const colour = members.find((one) => one.user.id === event.actor?.id)?.user.colour ?? "#7c8693";
  const line = (
    <Group gap="sm" wrap="nowrap" className={classes["line"]}>
      <PersonDot name={actor} colour={colour} size={24} />
      <Text flex={1}>
        {!alone && (
          <Text span fw={600}>
            {actor}{" "}
          </Text>
        )}
        {words}
      </Text>
      <Text size="xs" c="dimmed" flex="none">
        <RelativeTime iso={event.at} />
      </Text>
    </Group>
  );
  return (
    <li className={classes["entry"]}>
      {newDay && (
        <Text size="xs" c="dimmed" fw={600} className={classes["day"]}>
          {formatDate(event.at)}
        </Text>
      )}
      {annotationId === null ? (
        line
      ) : (
        <UnstyledButton
          className={classes["link"]}
          title={t("activity.showOnMap")}
          onClick={() => void navigate(`/projects/${projectId}/map?shape=${annotationId}`)}
        >
          {line}
        </UnstyledButton>
      )}
    </li>
  );
}
