/** Tokens with which scripts act as this user; each secret is shown once. */
import { Alert, Button, Group, Select, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { modals } from "@mantine/modals";
import { IconKey } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import type { Token } from "../../protocol/rest";
import { notifyError } from "../errors";
import { formatDate } from "../format";
import { CopyField } from "../parts/CopyField";
import { EmptyState } from "../parts/EmptyState";
import { ErrorNote } from "../parts/ErrorNote";
import { RelativeTime } from "../parts/RelativeTime";
import { keys } from "../query";

const LIFETIMES = ["30", "90", "365", "never"] as const;

export function TokenSection() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const tokens = useQuery({ queryKey: keys.tokens, queryFn: () => api.tokens.list() });
  const refresh = () => client.invalidateQueries({ queryKey: keys.tokens });
  const [name, setName] = useState("");
  const [lifetime, setLifetime] = useState<string>("90");
  const create = useMutation({
    mutationFn: () => api.tokens.create(name.trim(), lifetime === "never" ? null : Number(lifetime)),
    onSuccess: async () => {
      setName("");
      await refresh();
    },
  });
  const remove = useMutation({
    mutationFn: (token: Token) => api.tokens.remove(token.id),
    onSuccess: refresh,
    onError: notifyError,
  });

  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    create.mutate();
  };
  const confirmRemove = (token: Token) =>
    modals.openConfirmModal({
      title: t("tokens.removeTitle", { name: token.name }),
      children: <Text>{t("tokens.removeText")}</Text>,
      labels: { confirm: t("tokens.remove"), cancel: t("action.cancel") },
      confirmProps: { color: "red" },
      onConfirm: () => remove.mutate(token),
    });

  return (
    <Stack>
      <div>
        <Title order={2}>{t("tokens.title")}</Title>
        <Text c="dimmed">{t("tokens.text")}</Text>
      </div>
      <ErrorNote error={create.error} />
      <form onSubmit={submit}>
        <Group align="flex-end" gap="sm">
          <TextInput
            flex={1}
            label={t("tokens.name")}
            placeholder={t("tokens.namePlaceholder")}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            maxLength={100}
            data-testid="token-name"
          />
          <Select
            w={140}
            label={t("tokens.lifetime")}
            value={lifetime}
            onChange={(value) => setLifetime(value ?? "90")}
            data={LIFETIMES.map((value) => ({ value, label: t(`tokens.days.${value}`) }))}
          />
          <Button type="submit" disabled={name.trim() === ""} loading={create.isPending} data-testid="token-create">
            {t("tokens.create")}
          </Button>
        </Group>
      </form>
      {create.data !== undefined && (
        <Alert variant="light" icon={<IconKey size={18} />} title={t("tokens.once")} data-testid="token-secret">
          <CopyField value={create.data.secret} />
        </Alert>
      )}
      <ErrorNote error={tokens.error} onRetry={() => void tokens.refetch()} />
      {tokens.data?.length === 0 && (
        <EmptyState compact icon={<IconKey size={18} />} title={t("tokens.emptyTitle")} text={t("tokens.emptyText")} />
      )}
      {tokens.data !== undefined && tokens.data.length > 0 && (
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("tokens.name")}</Table.Th>
              <Table.Th>{t("tokens.begins")}</Table.Th>
              <Table.Th>{t("tokens.lastUsed")}</Table.Th>
              <Table.Th>{t("tokens.expires")}</Table.Th>
              <Table.Th />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {tokens.data.map((token) => (
              <Table.Tr key={token.id}>
                <Table.Td>{token.name}</Table.Td>
                <Table.Td ff="monospace">{token.prefix}…</Table.Td>
                <Table.Td>
                  {token.last_used_at === null ? t("tokens.neverUsed") : <RelativeTime iso={token.last_used_at} />}
                </Table.Td>
                <Table.Td>{token.expires_at === null ? t("tokens.noExpiry") : formatDate(token.expires_at)}</Table.Td>
                <Table.Td ta="right">
                  <Button size="compact-sm" variant="subtle" color="red" onClick={() => confirmRemove(token)}>
                    {t("tokens.remove")}
                  </Button>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Stack>
  );
}
