/** Name, description, leaving and deleting of a project. */
import { Alert, Button, Group, Modal, Paper, Stack, Text, Textarea, TextInput, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { modals } from "@mantine/modals";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { api } from "../../net/api";
import type { Project } from "../../protocol/rest";
import { fieldErrors, notifyDone, notifyError } from "../errors";
import page from "../pages/Page.module.css";
import { ErrorNote } from "../parts/ErrorNote";
import { keys } from "../query";
import { useUser } from "../session";

export function GeneralSection({ projectId }: { readonly projectId: string }) {
  const project = useQuery({ queryKey: keys.project(projectId), queryFn: () => api.projects.get(projectId) });
  if (project.data === undefined) return <ErrorNote error={project.error} onRetry={() => void project.refetch()} />;
  return (
    <>
      <Paper withBorder p="lg" className={page["panel"]}>
        <NameForm key={project.data.id} project={project.data} />
      </Paper>
      <Paper withBorder p="lg" className={page["panel"]}>
        <Leaving project={project.data} />
      </Paper>
    </>
  );
}

function NameForm({ project }: { readonly project: Project }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [name, setName] = useState(project.name);
  const [description, setDescription] = useState(project.description);
  const readOnly = project.role !== "owner";
  const save = useMutation({
    mutationFn: () => api.projects.change(project.id, { name: name.trim(), description: description.trim() }),
    onSuccess: (changed) => {
      client.setQueryData(keys.project(project.id), changed);
      void client.invalidateQueries({ queryKey: keys.projects });
      notifyDone(t("settings.saved"));
    },
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    save.mutate();
  };
  const same = name.trim() === project.name && description.trim() === project.description;
  return (
    <form onSubmit={submit}>
      <Stack>
        <Title order={2}>{t("settings.about")}</Title>
        <ErrorNote error={save.error} />
        <TextInput
          label={t("projects.name")}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={fieldErrors(save.error)["name"]}
          maxLength={200}
          readOnly={readOnly}
        />
        <Textarea
          label={t("projects.description")}
          value={description}
          onChange={(event) => setDescription(event.currentTarget.value)}
          rows={3}
          readOnly={readOnly}
        />
        {readOnly ? (
          <Text c="dimmed">{t("settings.ownersOnly")}</Text>
        ) : (
          <Group justify="flex-end">
            <Button type="submit" loading={save.isPending} disabled={same || name.trim() === ""}>
              {t("action.save")}
            </Button>
          </Group>
        )}
      </Stack>
    </form>
  );
}

function Leaving({ project }: { readonly project: Project }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const client = useQueryClient();
  const user = useUser();
  const [deleting, { open, close }] = useDisclosure(false);
  const [typed, setTyped] = useState("");
  const gone = async () => {
    await navigate("/");
    client.removeQueries({ queryKey: keys.project(project.id) });
    void client.invalidateQueries({ queryKey: keys.projects });
  };
  const leave = useMutation({
    mutationFn: () => api.members.remove(project.id, user.id),
    onSuccess: gone,
    onError: notifyError,
  });
  const remove = useMutation({ mutationFn: () => api.projects.remove(project.id, typed), onSuccess: gone });

  const confirmLeave = () =>
    modals.openConfirmModal({
      title: t("settings.leaveTitle", { name: project.name }),
      children: <Text>{t("settings.leaveText")}</Text>,
      labels: { confirm: t("settings.leave"), cancel: t("action.cancel") },
      confirmProps: { color: "red" },
      onConfirm: () => leave.mutate(),
    });

  return (
    <Stack>
      <Title order={2}>{t("settings.leaving")}</Title>
      <Group justify="space-between" wrap="nowrap">
        <Text c="dimmed">{t("settings.leaveHelp")}</Text>
        <Button variant="default" onClick={confirmLeave} loading={leave.isPending} flex="none">
          {t("settings.leave")}
        </Button>
      </Group>
      {project.role === "owner" && (
        <Group justify="space-between" wrap="nowrap">
          <Text c="dimmed">{t("settings.deleteHelp")}</Text>
          <Button
            variant="default"
            c="var(--mantine-color-error)"
            onClick={open}
            flex="none"
            data-testid="project-delete"
          >
            {t("settings.delete")}
          </Button>
        </Group>
      )}
      <Modal opened={deleting} onClose={close} title={t("settings.deleteTitle", { name: project.name })}>
        <Stack>
          <Alert color="red" variant="light" p="sm">
            {t("settings.deleteText")}
          </Alert>
          <ErrorNote error={remove.error} />
          <TextInput
            label={t("settings.deleteConfirm", { name: project.name })}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            data-autofocus
          />
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={close}>
              {t("action.cancel")}
            </Button>
            <Button
              color="red"
              disabled={typed !== project.name}
              loading={remove.isPending}
              onClick={() => remove.mutate()}
            >
              {t("settings.delete")}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </Stack>
  );
}
