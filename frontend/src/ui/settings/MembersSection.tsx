/** Who works in the project, with which role; inviting others by link. */
import { ActionIcon, Alert, Button, Group, Select, Skeleton, Stack, Table, Text, Title, Tooltip } from "@mantine/core";
import { modals } from "@mantine/modals";
import { IconLink, IconTrash, IconUserMinus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import { ROLES, type Member, type Role } from "../../protocol/rest";
import { notifyError } from "../errors";
import { formatDate } from "../format";
import { CopyField } from "../parts/CopyField";
import { EmptyState } from "../parts/EmptyState";
import { ErrorNote } from "../parts/ErrorNote";
import { PersonDot } from "../parts/PersonDot";
import { RelativeTime } from "../parts/RelativeTime";
import { useRole } from "../project";
import { keys } from "../query";
import { useUser } from "../session";

export function MembersSection({ projectId }: { readonly projectId: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const me = useUser();
  const owner = useRole() === "owner";
  const members = useQuery({ queryKey: keys.members(projectId), queryFn: () => api.members.list(projectId) });
  const refresh = () => client.invalidateQueries({ queryKey: keys.members(projectId) });
  const change = useMutation({
    mutationFn: ({ member, role }: { member: Member; role: Role }) =>
      api.members.change(projectId, member.user.id, role),
    onSettled: refresh,
    onError: notifyError,
  });
  const remove = useMutation({
    mutationFn: (member: Member) => api.members.remove(projectId, member.user.id),
    onSettled: refresh,
    onError: notifyError,
  });
  const roles = ROLES.map((role) => ({ value: role, label: t(`role.${role}`) }));

  const confirmRemove = (member: Member) =>
    modals.openConfirmModal({
      title: t("members.removeTitle", { name: member.user.display_name }),
      children: <Text>{t("members.removeText")}</Text>,
      labels: { confirm: t("members.remove"), cancel: t("action.cancel") },
      confirmProps: { color: "red" },
      onConfirm: () => remove.mutate(member),
    });

  return (
    <Stack gap="lg">
      <div>
        <Title order={2}>{t("members.title")}</Title>
        <Text c="dimmed">{t("members.text")}</Text>
      </div>
      <ErrorNote error={members.error} onRetry={() => void members.refetch()} />
      {members.isPending && <Skeleton height={120} />}
      {members.data !== undefined && (
        <Table verticalSpacing={6} data-testid="member-list">
          <Table.Tbody>
            {members.data.map((member) => (
              <Table.Tr key={member.user.id}>
                <Table.Td>
                  <Group gap="sm" wrap="nowrap">
                    <PersonDot name={member.user.display_name} colour={member.user.colour} size={28} />
                    <div>
                      <Text>
                        {member.user.display_name}
                        {member.user.id === me.id && (
                          <Text span c="dimmed">
                            {" "}
                            {t("members.you")}
                          </Text>
                        )}
                      </Text>
                      <Text c="dimmed" size="xs">
                        {member.user.username}
                      </Text>
                    </div>
                  </Group>
                </Table.Td>
                <Table.Td c="dimmed">
                  {t("members.joined")} <RelativeTime iso={member.joined_at} />
                </Table.Td>
                <Table.Td w={160}>
                  {owner ? (
                    <Select
                      aria-label={t("members.roleOf", { name: member.user.display_name })}
                      data={roles}
                      value={member.role}
                      onChange={(value) => {
                        const role = ROLES.find((one) => one === value);
                        if (role !== undefined && role !== member.role) change.mutate({ member, role });
                      }}
                    />
                  ) : (
                    t(`role.${member.role}`)
                  )}
                </Table.Td>
                <Table.Td w={48}>
                  {owner && member.user.id !== me.id && (
                    <Tooltip label={t("members.remove")}>
                      <ActionIcon
                        onClick={() => confirmRemove(member)}
                        aria-label={t("members.removeTitle", { name: member.user.display_name })}
                      >
                        <IconUserMinus size={18} />
                      </ActionIcon>
                    </Tooltip>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      <RoleTable />
      {owner && <Invites projectId={projectId} />}
    </Stack>
  );
}

function RoleTable() {
  const { t } = useTranslation();
  return (
    <Stack gap={2}>
      {ROLES.map((role) => (
        <Text key={role} size="xs" c="dimmed">
          <Text span size="xs" fw={600} c="var(--mantine-color-text)">
            {t(`role.${role}`)}
          </Text>{" "}
          {t(`roleMay.${role}`)}
        </Text>
      ))}
    </Stack>
  );
}

function Invites({ projectId }: { readonly projectId: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [role, setRole] = useState<Role>("annotator");
  const invites = useQuery({ queryKey: keys.invites(projectId), queryFn: () => api.invites.list(projectId) });
  const refresh = () => client.invalidateQueries({ queryKey: keys.invites(projectId) });
  const create = useMutation({ mutationFn: () => api.invites.create(projectId, role), onSuccess: refresh });
  const revoke = useMutation({
    mutationFn: (id: string) => api.invites.remove(projectId, id),
    onSettled: refresh,
    onError: notifyError,
  });
  return (
    <Stack>
      <div>
        <Title order={2}>{t("invites.title")}</Title>
        <Text c="dimmed">{t("invites.text")}</Text>
      </div>
      <ErrorNote error={create.error} />
      <Group gap="sm">
        <Select
          w={160}
          aria-label={t("invites.role")}
          data={ROLES.map((one) => ({ value: one, label: t(`role.${one}`) }))}
          value={role}
          onChange={(value) => setRole(ROLES.find((one) => one === value) ?? "annotator")}
          data-testid="invite-role"
        />
        <Button
          leftSection={<IconLink size={16} />}
          onClick={() => create.mutate()}
          loading={create.isPending}
          data-testid="invite-create"
        >
          {t("invites.create")}
        </Button>
      </Group>
      {create.data !== undefined && (
        <Alert variant="light" title={t("invites.once")} data-testid="invite-link">
          <CopyField value={create.data.url} />
        </Alert>
      )}
      <ErrorNote error={invites.error} onRetry={() => void invites.refetch()} />
      {invites.data?.length === 0 && (
        <EmptyState
          compact
          icon={<IconLink size={18} />}
          title={t("invites.emptyTitle")}
          text={t("invites.emptyText")}
        />
      )}
      {invites.data !== undefined && invites.data.length > 0 && (
        <Table>
          <Table.Tbody>
            {invites.data.map((invite) => (
              <Table.Tr key={invite.id}>
                <Table.Td>{t(`role.${invite.role}`)}</Table.Td>
                <Table.Td c="dimmed">{t("invites.until", { date: formatDate(invite.expires_at) })}</Table.Td>
                <Table.Td w={48}>
                  <Tooltip label={t("invites.revoke")}>
                    <ActionIcon onClick={() => revoke.mutate(invite.id)} aria-label={t("invites.revoke")}>
                      <IconTrash size={18} />
                    </ActionIcon>
                  </Tooltip>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Stack>
  );
}
