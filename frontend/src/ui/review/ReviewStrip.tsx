/** The strip below the map in review: the queue, its filter, and one key for each decision. */
import { Button, Checkbox, Group, Progress, ScrollArea, Select, Text, Tooltip, UnstyledButton } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { IconArrowLeft, IconArrowRight, IconCheck, IconPencil } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Annotation } from "../../protocol/entities";
import { ACCEPT_COLOUR } from "../colour";
import { releaseKeys } from "../focus";
import { formatCount } from "../format";
import { permissions } from "../panel/permissions";
import { ErrorNote } from "../parts/ErrorNote";
import { ShapeIcon } from "../parts/ShapeIcon";
import { StatusMark, STATUSES } from "../parts/StatusMark";
import { useActions, useClasses, useLoaded, useRole, useSelected } from "../project";
import { useUser } from "../session";
import { decidedCount, FIRST_FILTER, neighbour, nextWaiting, ORDERS, type QueueFilter } from "./queue";
import { ReturnForm } from "./ReturnForm";
import classes from "./ReviewStrip.module.css";
import { useReviewQueue } from "./useReviewQueue";

export function ReviewStrip({ projectId }: { readonly projectId: string }) {
  const { t } = useTranslation();
  const me = useUser();
  const role = useRole();
  const actions = useActions();
  const loaded = useLoaded();
  const selected = useSelected();
  const [filter, setFilter] = useState<QueueFilter>(FIRST_FILTER);
  const [returning, setReturning] = useState(false);
  const { queue, total, error, loading, refetch } = useReviewQueue(projectId, filter, me.id);
  const current = queue.find((one) => one.id === selected?.id) ?? null;
  const waits = (one: Annotation) => !one.deleted && one.status === filter.status;
  const may = current === null ? null : permissions(current, me.id, role);
  const decided = decidedCount(queue, filter.status);

  const go = (id: string | null) => {
    if (id === null) return;
    actions.select(id);
    actions.zoomToAnnotation(id);
  };
  const goOn = () => go(nextWaiting(queue, current?.id ?? null, waits));
  const accept = () => {
    if (current === null || may?.accept !== true) return;
    actions.setStatus(current.id, "accepted");
    goOn();
  };
  const giveBack = (comment: string) => {
    if (current === null) return;
    actions.setStatus(current.id, "changes_requested", comment);
    goOn();
  };
  const fix = () => {
    if (current !== null && may?.edit === true) actions.chooseTool("edit");
  };

  // Opening review starts at the first shape that waits.
  const started = useRef(false);
  useEffect(() => {
    if (started.current || !loaded || loading || queue.length === 0) return;
    started.current = true;
    if (current === null) goOn();
    else actions.zoomToAnnotation(current.id);
  });
  useEffect(() => {
    started.current = false;
  }, [filter]);

  useHotkeys([
    ["A", accept],
    ["R", () => may?.giveBack === true && setReturning(true)],
    ["F", fix],
    ["N", () => go(neighbour(queue, current?.id ?? null, 1))],
    ["B", () => go(neighbour(queue, current?.id ?? null, -1))],
  ]);

  return (
    <section className={classes["strip"]} aria-label={t("nav.review")} data-testid="review-strip">
      <Group gap="sm" wrap="nowrap" className={classes["bar"]}>
        <FilterControls
          filter={filter}
          onChange={(next) => {
            setFilter(next);
            releaseKeys();
          }}
        />
        <div className={classes["progress"]}>
          <Progress
            size={6}
            value={queue.length === 0 ? 0 : (100 * decided) / queue.length}
            aria-label={t("review.progress")}
          />
        </div>
        <Text size="xs" c="dimmed" flex="none" data-testid="review-progress">
          {t("review.decided", { done: formatCount(decided), total: formatCount(Math.max(total, queue.length)) })}
        </Text>
        <Group gap={4} wrap="nowrap" ml="auto">
          <Keyed keyName="B">
            <Button
              size="xs"
              variant="default"
              leftSection={<IconArrowLeft size={14} />}
              onClick={() => go(neighbour(queue, current?.id ?? null, -1))}
              disabled={queue.length === 0}
              data-testid="review-back"
            >
              {t("review.back")}
            </Button>
          </Keyed>
          <Keyed keyName="N">
            <Button
              size="xs"
              variant="default"
              rightSection={<IconArrowRight size={14} />}
              onClick={() => go(neighbour(queue, current?.id ?? null, 1))}
              disabled={queue.length === 0}
              data-testid="review-next"
            >
              {t("review.next")}
            </Button>
          </Keyed>
          <Keyed keyName="F">
            <Button
              size="xs"
              variant="default"
              leftSection={<IconPencil size={14} />}
              onClick={fix}
              disabled={may?.edit !== true}
              data-testid="review-fix"
            >
              {t("review.fix")}
            </Button>
          </Keyed>
          {may?.giveBack === true ? (
            <ReturnForm onReturn={giveBack} opened={returning} onOpenChange={setReturning} />
          ) : (
            <Button size="xs" variant="default" disabled>
              {t("review.return")}
            </Button>
          )}
          <Keyed keyName="A" note={may?.ownReview === true ? t("panel.ownWork") : undefined}>
            <Button
              size="xs"
              color={ACCEPT_COLOUR}
              leftSection={<IconCheck size={14} />}
              onClick={accept}
              data-disabled={may?.accept !== true || undefined}
              aria-disabled={may?.accept !== true}
              data-testid="review-accept"
            >
              {t("panel.accept")}
            </Button>
          </Keyed>
        </Group>
      </Group>
      <ErrorNote error={error} onRetry={refetch} />
      {!loading && queue.length === 0 && error === null ? (
        <Text ta="center" data-testid="review-empty">
          <Text span fw={600}>
            {t("review.emptyTitle", { status: t(`status.${filter.status}`) })}
          </Text>
          <Text span c="dimmed">
            {" "}
            {t("review.emptyText")}
          </Text>
        </Text>
      ) : (
        <Queue queue={queue} currentId={current?.id ?? null} onChoose={go} />
      )}
    </section>
  );
}

interface FilterControlsProps {
  readonly filter: QueueFilter;
  readonly onChange: (filter: QueueFilter) => void;
}

function FilterControls({ filter, onChange }: FilterControlsProps) {
  const { t } = useTranslation();
  const labelClasses = useClasses();
  return (
    <Group gap={4} wrap="nowrap">
      <Select
        size="xs"
        w={168}
        aria-label={t("review.status")}
        data={STATUSES.map((status) => ({ value: status, label: t(`status.${status}`) }))}
        value={filter.status}
        onChange={(value) => {
          const status = STATUSES.find((one) => one === value);
          if (status !== undefined) onChange({ ...filter, status });
        }}
        data-testid="review-status"
      />
      <Select
        size="xs"
        w={132}
        aria-label={t("review.class")}
        data={[
          { value: "", label: t("exports.allClasses") },
          ...labelClasses.map((one) => ({ value: one.id, label: one.name })),
        ]}
        value={filter.labelClass ?? ""}
        onChange={(value) => onChange({ ...filter, labelClass: value === "" ? null : value })}
      />
      <Select
        size="xs"
        w={140}
        aria-label={t("review.order")}
        data={ORDERS.map((value) => ({ value, label: t(`reviewOrder.${value}`) }))}
        value={filter.order}
        onChange={(value) => {
          const order = ORDERS.find((one) => one === value);
          if (order !== undefined) onChange({ ...filter, order });
        }}
      />
      <Tooltip label={t("review.othersHelp")}>
        <div>
          <Checkbox
            size="xs"
            ml={8}
            label={t("review.others")}
            checked={filter.othersOnly}
            onChange={(event) => onChange({ ...filter, othersOnly: event.currentTarget.checked })}
            styles={{ label: { whiteSpace: "nowrap" } }}
          />
        </div>
      </Tooltip>
    </Group>
  );
}

interface QueueProps {
  readonly queue: readonly Annotation[];
  readonly currentId: string | null;
  readonly onChoose: (id: string) => void;
}

function Queue({ queue, currentId, onChoose }: QueueProps) {
  const { t } = useTranslation();
  const labelClasses = useClasses();
  const currentRow = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    currentRow.current?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [currentId]);
  return (
    <ScrollArea type="auto" offsetScrollbars="x">
      <div className={classes["queue"]} data-testid="review-queue">
        {queue.map((one) => {
          const labelClass = labelClasses.find((candidate) => candidate.id === one.label_class);
          const name = labelClass?.name ?? t("classes.gone");
          return (
            <UnstyledButton
              key={one.id}
              ref={one.id === currentId ? currentRow : null}
              className={classes["card"]}
              data-current={one.id === currentId || undefined}
              data-status={one.status}
              aria-label={`${name}, ${t(`status.${one.status}`)}`}
              aria-current={one.id === currentId}
              onClick={() => onChoose(one.id)}
              data-testid={`queue-${one.id}`}
            >
              <ShapeIcon geometry={one.geometry} colour={labelClass?.colour ?? "#98a1ad"} />
              <span className={classes["caption"]}>
                <StatusMark status={one.status} />
                <span>{name}</span>
              </span>
            </UnstyledButton>
          );
        })}
      </div>
    </ScrollArea>
  );
}

interface KeyedProps {
  readonly keyName: string;
  readonly note?: string | undefined;
  readonly children: React.ReactElement;
}

function Keyed({ keyName, note, children }: KeyedProps) {
  return (
    <Tooltip
      label={
        <>
          {note} <kbd>{keyName}</kbd>
        </>
      }
    >
      {children}
    </Tooltip>
  );
}
