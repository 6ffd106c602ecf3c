/** Making a project: its name, what it is for. */
import { Button, Group, Modal, Stack, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { api } from "../../net/api";
import { fieldErrors } from "../errors";
import { ErrorNote } from "../parts/ErrorNote";
import { keys } from "../query";

interface CreateProjectDialogProps {
  readonly opened: boolean;
  readonly onClose: () => void;
}

export function CreateProjectDialog({ opened, onClose }: CreateProjectDialogProps) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const create = useMutation({
    mutationFn: () => api.projects.create({ name: name.trim(), description: description.trim() }),
    onSuccess: async (project) => {
      void client.invalidateQueries({ queryKey: keys.projects });
      await navigate(`/projects/${project.id}/data`);
    },
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <Modal opened={opened} onClose={onClose} title={t("projects.createTitle")}>
      <form onSubmit={submit}>
        <Stack>
          <ErrorNote error={create.error} />
          <TextInput
            label={t("projects.name")}
            placeholder={t("projects.namePlaceholder")}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={fieldErrors(create.error)["name"]}
            maxLength={200}
            required
            withAsterisk={false}
            data-autofocus
            data-testid="project-name"
          />
          <Textarea
            label={t("projects.description")}
            description={t("projects.descriptionHelp")}
            value={description}
            onChange={(event) => setDescription(event.currentTarget.value)}
            rows={3}
          />
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>
              {t("action.cancel")}
            </Button>
            <Button
              type="submit"
              loading={create.isPending}
              disabled={name.trim() === ""}
              data-testid="project-create-submit"
            >
              {t("projects.create")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
