/** What happened to a shape, newest first, with the words of its reviewers. */
import { Skeleton, Stack, Text, Timeline } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { Annotation, Revision } from "../../protocol/entities";
import { api } from "../../net/api";
import { ErrorNote } from "../parts/ErrorNote";
import { RelativeTime } from "../parts/RelativeTime";
import { StatusMark } from "../parts/StatusMark";
import { useClasses } from "../project";
import { keys } from "../query";
import { revisionChange } from "./revisions";

export function History({ annotation }: { readonly annotation: Annotation }) {
  const revisions = useQuery({
    queryKey: keys.revisions(annotation.id, annotation.version),
    queryFn: () => api.annotations.revisions(annotation.id),
  });
  if (revisions.isPending) return <Skeleton height={64} />;
  if (revisions.data === undefined)
    return <ErrorNote error={revisions.error} onRetry={() => void revisions.refetch()} />;
  const newestFirst = [...revisions.data].sort((a, b) => b.version - a.version);
  return (
    <Timeline bulletSize={16} lineWidth={1} data-testid="history">
      {newestFirst.map((revision, index) => (
        <Timeline.Item key={revision.version} bullet={<StatusMark status={revision.status} />}>
          <Entry revision={revision} before={newestFirst[index + 1] ?? null} />
        </Timeline.Item>
      ))}
    </Timeline>
  );
}

function Entry({ revision, before }: { readonly revision: Revision; readonly before: Revision | null }) {
  const { t } = useTranslation();
  const classes = useClasses();
  const change = revisionChange(revision, before);
  const name = classes.find((one) => one.id === revision.label_class)?.name ?? t("classes.gone");
  return (
    <Stack gap={2}>
      <Text size="sm" lh="16px">
        {t(`history.${change}`, { name, status: t(`status.${revision.status}`) })}
      </Text>
      {revision.comment !== null && revision.comment !== "" && (
        <Text size="sm" fs="italic">
          “{revision.comment}”
        </Text>
      )}
      <Text size="xs" c="dimmed">
        {revision.by?.display_name ?? t("members.former")} · <RelativeTime iso={revision.at} />
      </Text>
    </Stack>
  );
}
