/** What a row about a job has, wherever it stands: the buttons that cancel and retry it, and its bar. */
import { Button, Progress } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Job } from "../../protocol/entities";
import { isActive, jobShare } from "../data/rasterFacts";

interface Action {
  readonly mutate: () => void;
  readonly isPending: boolean;
}

interface ButtonsProps {
  readonly job: Job;
  readonly cancel: Action;
  readonly retry: Action;
  /** What the buttons' test names begin with. */
  readonly name: string;
}

/** Cancel while it is under way, retry once it has failed or was cancelled. */
export function JobButtons({ job, cancel, retry, name }: ButtonsProps) {
  const { t } = useTranslation();
  const look = { size: "compact-xs", variant: "default", flex: "none" } as const;
  if (isActive(job))
    return (
      <Button
        {...look}
        onClick={() => cancel.mutate()}
        loading={cancel.isPending}
        disabled={job.state === "cancelling"}
        data-testid={`${name}-cancel`}
      >
        {t("jobs.cancel")}
      </Button>
    );
  if (job.state === "failed" || job.state === "cancelled")
    return (
      <Button {...look} onClick={() => retry.mutate()} loading={retry.isPending} data-testid={`${name}-retry`}>
        {t("jobs.retry")}
      </Button>
    );
  return null;
}

/** How far an active job is; full and grey while that is not known. */
export function JobBar({ job, title, moves }: { readonly job: Job; readonly title: string; readonly moves: boolean }) {
  if (!isActive(job)) return null;
  return (
    <Progress
      value={job.total > 0 ? jobShare(job) : 100}
      animated={moves}
      color={job.total > 0 ? undefined : "gray"}
      size={6}
      aria-label={title}
    />
  );
}
