/** Registering a file that already lies on the server, from the folders its administrator allows. */
import { Anchor, Breadcrumbs, Button, Group, Loader, Modal, NavLink, ScrollArea, Stack, Text } from "@mantine/core";
import { IconFolder, IconFolderOff, IconPhoto } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import { formatBytes } from "../format";
import { EmptyState } from "../parts/EmptyState";
import { ErrorNote } from "../parts/ErrorNote";
import { keys } from "../query";

interface FolderDialogProps {
  readonly projectId: string;
  readonly opened: boolean;
  readonly onClose: () => void;
}

export function FolderDialog({ projectId, opened, onClose }: FolderDialogProps) {
  const { t } = useTranslation();
  const [path, setPath] = useState("");
  const [file, setFile] = useState<string | null>(null);
  const folder = useQuery({
    queryKey: keys.folders(projectId, path),
    queryFn: () => api.rasters.folder(projectId, path),
    enabled: opened,
  });
  const register = useMutation({
    mutationFn: (name: string) => api.rasters.register(projectId, join(path, name)),
    onSuccess: () => {
      setFile(null);
      onClose();
    },
  });
  const go = (next: string) => {
    setPath(next);
    setFile(null);
  };
  const parts = path.split("/").filter((part) => part !== "");
  const empty = folder.data !== undefined && folder.data.folders.length === 0 && folder.data.files.length === 0;
  return (
    <Modal opened={opened} onClose={onClose} title={t("folder.title")} size="lg">
      <Stack>
        <ErrorNote error={folder.error ?? register.error} />
        {folder.data?.enabled === false ? (
          <EmptyState
            compact
            icon={<IconFolderOff size={18} />}
            title={t("folder.offTitle")}
            text={t("folder.offText")}
          />
        ) : (
          <>
            <Breadcrumbs>
              <Anchor component="button" type="button" size="sm" onClick={() => go("")}>
                {t("folder.root")}
              </Anchor>
              {parts.map((part, index) => (
                <Anchor
                  key={parts.slice(0, index + 1).join("/")}
                  component="button"
                  type="button"
                  size="sm"
                  onClick={() => go(parts.slice(0, index + 1).join("/"))}
                >
                  {part}
                </Anchor>
              ))}
            </Breadcrumbs>
            <ScrollArea h={320} type="auto" offsetScrollbars data-testid="folder-list">
              {folder.isPending && <Loader size="sm" />}
              {empty && <Text c="dimmed">{t("folder.empty")}</Text>}
              {folder.data?.folders.map((name) => (
                <NavLink
                  key={`folder-${name}`}
                  component="button"
                  label={name}
                  leftSection={<IconFolder size={16} />}
                  onClick={() => go(join(path, name))}
                />
              ))}
              {folder.data?.files.map(({ name, size }) => (
                <NavLink
                  key={`file-${name}`}
                  component="button"
                  label={name}
                  leftSection={<IconPhoto size={16} />}
                  rightSection={
                    <Text span c="dimmed" size="xs">
                      {formatBytes(size)}
                    </Text>
                  }
                  active={file === name}
                  onClick={() => setFile(name)}
                />
              ))}
            </ScrollArea>
            <Group justify="flex-end" gap="sm">
              <Button variant="default" onClick={onClose}>
                {t("action.cancel")}
              </Button>
              <Button
                disabled={file === null}
                loading={register.isPending}
                onClick={() => {
                  if (file !== null) register.mutate(file);
                }}
                data-testid="folder-register"
              >
                {t("folder.register")}
              </Button>
            </Group>
          </>
        )}
      </Stack>
    </Modal>
  );
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path.replace(/\/$/, "")}/${name}`;
}
