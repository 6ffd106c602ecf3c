/** Taking up an invitation, with an account or by making one. */
import {
  Alert,
  Anchor,
  Button,
  Center,
  Loader,
  Paper,
  PasswordInput,
  Stack,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useParams } from "react-router";
import { api } from "../../net/api";
import { fieldErrors } from "../errors";
import { formatDate } from "../format";
import { ErrorNote } from "../parts/ErrorNote";
import { Wordmark } from "../parts/Wordmark";
import { keys } from "../query";
import { useSession } from "../session";
import { useTitle } from "../useTitle";
import classes from "./Entry.module.css";

export function InvitePage() {
  const { t } = useTranslation();
  const { token = "" } = useParams();
  useTitle(t("invite.title"));
  const navigate = useNavigate();
  const client = useQueryClient();
  const session = useSession();
  const invite = useQuery({ queryKey: keys.invite(token), queryFn: () => api.invites.get(token) });
  const [username, setUsername] = useState("");
  const [displayName, setDisplayName] = useState("");
  const [password, setPassword] = useState("");
  const user = session.data?.user ?? null;

  const accept = useMutation({
    mutationFn: () =>
      api.invites.accept(
        token,
        user === null ? { username: username.trim(), display_name: displayName.trim(), password } : {},
      ),
    onSuccess: async ({ project_id }) => {
      // Not the invitation itself: it is used up now.
      await Promise.all([
        client.invalidateQueries({ queryKey: keys.session }),
        client.invalidateQueries({ queryKey: keys.projects }),
      ]);
      await navigate(`/projects/${project_id}/map`);
    },
  });
  const fields = fieldErrors(accept.error);

  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    accept.mutate();
  };

  if (invite.isPending || session.isPending) {
    return (
      <Center h="100%">
        <Loader size="sm" />
      </Center>
    );
  }

  return (
    <main className={classes["page"]}>
      <Paper className={classes["card"]} withBorder p="xl" component="form" onSubmit={submit} data-testid="invite-form">
        <Stack gap="lg">
          <Wordmark size="lg" />
          {invite.data === undefined ? (
            <>
              <Title order={1}>{t("invite.gone")}</Title>
              <ErrorNote error={invite.error} />
              <Text c="dimmed">{t("invite.goneHelp")}</Text>
              <Button component={Link} to="/" variant="default">
                {t("action.home")}
              </Button>
            </>
          ) : (
            <>
              <div>
                <Title order={1}>{t("invite.join", { project: invite.data.project.name })}</Title>
                <Text c="dimmed">
                  {t("invite.by", {
                    person: invite.data.invited_by.display_name,
                    role: t(`role.${invite.data.role}`),
                    until: formatDate(invite.data.expires_at),
                  })}
                </Text>
              </div>
              <ErrorNote error={accept.error} />
              {user === null ? (
                <>
                  <Alert variant="light" p="sm">
                    {t("invite.haveAccount")}{" "}
                    <Anchor component={Link} to={`/signin?next=${encodeURIComponent(`/invite/${token}`)}`}>
                      {t("signin.submit")}
                    </Anchor>
                  </Alert>
                  <TextInput
                    label={t("invite.displayName")}
                    value={displayName}
                    onChange={(event) => setDisplayName(event.currentTarget.value)}
                    error={fields["display_name"]}
                    autoComplete="name"
                    required
                    withAsterisk={false}
                    data-testid="invite-display-name"
                  />
                  <TextInput
                    label={t("signin.username")}
                    value={username}
                    onChange={(event) => setUsername(event.currentTarget.value)}
                    error={fields["username"]}
                    autoComplete="username"
                    required
                    withAsterisk={false}
                    data-testid="invite-username"
                  />
                  <PasswordInput
                    label={t("signin.password")}
                    description={t("account.passwordRule")}
                    value={password}
                    onChange={(event) => setPassword(event.currentTarget.value)}
                    error={fields["password"]}
                    autoComplete="new-password"
                    required
                    withAsterisk={false}
                    data-testid="invite-password"
                  />
                </>
              ) : (
                <Text>{t("invite.asUser", { person: user.display_name })}</Text>
              )}
              <Button type="submit" fullWidth loading={accept.isPending} data-testid="invite-accept">
                {t("invite.accept")}
              </Button>
            </>
          )}
        </Stack>
      </Paper>
    </main>
  );
}
