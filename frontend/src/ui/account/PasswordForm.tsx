/** Changing one's password. */
import { Button, Group, PasswordInput, Stack, Title } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import { fieldErrors, notifyDone } from "../errors";
import { ErrorNote } from "../parts/ErrorNote";

export function PasswordForm() {
  const { t } = useTranslation();
  const [oldPassword, setOld] = useState("");
  const [newPassword, setNew] = useState("");
  const change = useMutation({
    mutationFn: () => api.session.changePassword(oldPassword, newPassword),
    onSuccess: () => {
      setOld("");
      setNew("");
      notifyDone(t("account.passwordChanged"));
    },
  });
  const fields = fieldErrors(change.error);
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <Title order={2}>{t("account.password")}</Title>
        <ErrorNote error={change.error} />
        <Group grow align="flex-start" gap="md">
          <PasswordInput
            label={t("account.oldPassword")}
            value={oldPassword}
            onChange={(event) => setOld(event.currentTarget.value)}
            error={fields["old"]}
            autoComplete="current-password"
            required
            withAsterisk={false}
          />
          <PasswordInput
            label={t("account.newPassword")}
            description={t("account.passwordRule")}
            inputWrapperOrder={["label", "input", "description", "error"]}
            value={newPassword}
            onChange={(event) => setNew(event.currentTarget.value)}
            error={fields["new"]}
            autoComplete="new-password"
            required
            withAsterisk={false}
          />
        </Group>
        <Group justify="flex-end">
          <Button type="submit" loading={change.isPending} disabled={oldPassword === "" || newPassword === ""}>
            {t("account.changePassword")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
