/** The project's label classes: their order, colour, digit and attributes. */
import { closestCenter, DndContext, KeyboardSensor, PointerSensor, useSensor, useSensors } from "@dnd-kit/core";
import type { DragEndEvent } from "@dnd-kit/core";
import {
  arrayMove,
  SortableContext,
  sortableKeyboardCoordinates,
  useSortable,
  verticalListSortingStrategy,
} from "@dnd-kit/sortable";
import { CSS } from "@dnd-kit/utilities";
import { ActionIcon, Badge, Button, Group, Skeleton, Stack, Text, Title, Tooltip } from "@mantine/core";
import { modals } from "@mantine/modals";
import { IconGripVertical, IconPencil, IconPlus, IconTags, IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { LabelClass } from "../../protocol/entities";
import { api } from "../../net/api";
import { notifyError } from "../errors";
import { EmptyState } from "../parts/EmptyState";
import { ErrorNote } from "../parts/ErrorNote";
import { useRole } from "../project";
import { keys } from "../query";
import { ClassDialog } from "./ClassDialog";
import classes from "./ClassesSection.module.css";

export function ClassesSection({ projectId }: { readonly projectId: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const owner = useRole() === "owner";
  const list = useQuery({ queryKey: keys.classes(projectId), queryFn: () => api.classes.list(projectId) });
  const [editing, setEditing] = useState<LabelClass | "new" | null>(null);
  const refresh = () => client.invalidateQueries({ queryKey: keys.classes(projectId) });

  const reorder = useMutation({
    mutationFn: async (ordered: readonly LabelClass[]) => {
      for (const [order, one] of ordered.entries()) {
        if (one.order !== order) await api.classes.change(projectId, one.id, { order });
      }
    },
    onMutate: (ordered) => {
      client.setQueryData(keys.classes(projectId), ordered);
    },
    onSettled: refresh,
    onError: notifyError,
  });
  const remove = useMutation({
    mutationFn: (one: LabelClass) => api.classes.remove(projectId, one.id),
    onSettled: refresh,
    onError: notifyError,
  });

  const sensors = useSensors(
    useSensor(PointerSensor, { activationConstraint: { distance: 4 } }),
    useSensor(KeyboardSensor, { coordinateGetter: sortableKeyboardCoordinates }),
  );
  const rows = list.data ?? [];
  const moved = ({ active, over }: DragEndEvent) => {
    if (over === null || active.id === over.id) return;
    const from = rows.findIndex((one) => one.id === active.id);
    const to = rows.findIndex((one) => one.id === over.id);
    if (from >= 0 && to >= 0) reorder.mutate(arrayMove([...rows], from, to));
  };
  const confirmRemove = (one: LabelClass) =>
    modals.openConfirmModal({
      title: t("classes.removeTitle", { name: one.name }),
      children: <Text>{t("classes.removeText")}</Text>,
      labels: { confirm: t("action.delete"), cancel: t("action.cancel") },
      confirmProps: { color: "red" },
      onConfirm: () => remove.mutate(one),
    });
  const add = (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setEditing("new")} data-testid="class-create">
      {t("classes.create")}
    </Button>
  );

  return (
    <Stack>
      <Group justify="space-between" align="flex-start" wrap="nowrap">
        <div>
          <Title order={2}>{t("classes.title")}</Title>
          <Text c="dimmed">{t("classes.text")}</Text>
        </div>
        {owner && rows.length > 0 && add}
      </Group>
      <ErrorNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && <Skeleton height={160} />}
      {list.data?.length === 0 && (
        <EmptyState
          icon={<IconTags size={26} />}
          title={t("classes.emptyTitle")}
          text={t(owner ? "classes.emptyText" : "classes.emptyTextOthers")}
          action={owner && add}
        />
      )}
      <DndContext sensors={sensors} collisionDetection={closestCenter} onDragEnd={moved}>
        <SortableContext items={rows.map((one) => one.id)} strategy={verticalListSortingStrategy}>
          <ul className={classes["list"]} data-testid="class-list">
            {rows.map((one) => (
              <ClassRow
                key={one.id}
                labelClass={one}
                editable={owner}
                onEdit={() => setEditing(one)}
                onRemove={() => confirmRemove(one)}
              />
            ))}
          </ul>
        </SortableContext>
      </DndContext>
      {!owner && <Text c="dimmed">{t("classes.ownersOnly")}</Text>}
      {editing !== null && (
        <ClassDialog
          projectId={projectId}
          labelClass={editing === "new" ? null : editing}
          others={rows}
          onClose={() => setEditing(null)}
        />
      )}
    </Stack>
  );
}

interface ClassRowProps {
  readonly labelClass: LabelClass;
  readonly editable: boolean;
  readonly onEdit: () => void;
  readonly onRemove: () => void;
}

function ClassRow({ labelClass, editable, onEdit, onRemove }: ClassRowProps) {
  const { t } = useTranslation();
  const { attributes, listeners, setNodeRef, transform, transition, isDragging } = useSortable({
    id: labelClass.id,
    disabled: !editable,
  });
  return (
    <li
      ref={setNodeRef}
      className={classes["row"]}
      data-dragging={isDragging || undefined}
      data-testid={`class-row-${labelClass.name}`}
      style={{ transform: CSS.Transform.toString(transform), transition }}
    >
      {editable && (
        <button
          type="button"
          className={classes["grip"]}
          {...attributes}
          {...listeners}
          aria-label={t("classes.move", { name: labelClass.name })}
        >
          <IconGripVertical size={16} />
        </button>
      )}
      <span className={classes["swatch"]} style={{ background: labelClass.colour }} />
      <kbd>{labelClass.digit ?? "–"}</kbd>
      <Text fw={500} flex={1} truncate>
        {labelClass.name}
      </Text>
      <Text c="dimmed">{t(`geometryType.${labelClass.geometry_type}`)}</Text>
      {labelClass.attributes.length > 0 && (
        <Badge variant="default">{t("classes.attributeCount", { count: labelClass.attributes.length })}</Badge>
      )}
      {editable && (
        <Group gap={0} wrap="nowrap">
          <Tooltip label={t("action.edit")}>
            <ActionIcon onClick={onEdit} aria-label={t("classes.editTitle", { name: labelClass.name })}>
              <IconPencil size={18} />
            </ActionIcon>
          </Tooltip>
          <Tooltip label={t("action.delete")}>
            <ActionIcon onClick={onRemove} aria-label={t("classes.removeTitle", { name: labelClass.name })}>
              <IconTrash size={18} />
            </ActionIcon>
          </Tooltip>
        </Group>
      )}
    </li>
  );
}
