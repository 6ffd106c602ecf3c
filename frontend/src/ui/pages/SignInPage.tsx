/** Signing in with name and password. */
import { Anchor, Button, Group, Paper, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { Link, Navigate, useSearchParams } from "react-router";
import { api } from "../../net/api";
import { ErrorNote } from "../parts/ErrorNote";
import { Wordmark } from "../parts/Wordmark";
import { safeNext } from "../safeNext";
import { useSession, useSetUser } from "../session";
import { useTitle } from "../useTitle";
import classes from "./Entry.module.css";

export function SignInPage() {
  const { t } = useTranslation();
  useTitle(t("signin.title"));
  const [search] = useSearchParams();
  const session = useSession();
  const setUser = useSetUser();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useMutation({
    mutationFn: (who: { readonly name: string; readonly password: string }) =>
      api.session.signIn(who.name, who.password),
    onSuccess: ({ user }) => setUser(user),
  });

  if (session.data?.user) return <Navigate to={safeNext(search.get("next"))} replace />;

  const demo = session.data?.app.demo_accounts ?? null;
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    signIn.mutate({ name: username.trim(), password });
  };

  return (
    <main className={classes["page"]}>
      <Paper className={classes["card"]} withBorder p="xl" component="form" onSubmit={submit}>
        <Stack gap="lg">
          <Wordmark size="lg" />
          <div>
            <Title order={1}>{t("signin.title")}</Title>
            <Text c="dimmed">{t("signin.subtitle")}</Text>
          </div>
          <ErrorNote error={signIn.error} />
          <TextInput
            label={t("signin.username")}
            value={username}
            onChange={(event) => setUsername(event.currentTarget.value)}
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            autoFocus
            required
            withAsterisk={false}
            data-testid="signin-username"
          />
          <PasswordInput
            label={t("signin.password")}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            autoComplete="current-password"
            required
            withAsterisk={false}
            data-testid="signin-password"
          />
          <Button type="submit" fullWidth loading={signIn.isPending} data-testid="signin-submit">
            {t("signin.submit")}
          </Button>
          {demo !== null && (
            <Stack gap="xs">
              <Text c="dimmed" size="sm">
                {t("signin.demo")}
              </Text>
              <Group gap="xs" grow>
                {demo.usernames.map((name) => (
                  <Button
                    key={name}
                    size="xs"
                    variant="default"
                    onClick={() => signIn.mutate({ name, password: demo.password })}
                    data-testid={`signin-demo-${name}`}
                  >
                    {name}
                  </Button>
                ))}
              </Group>
            </Stack>
          )}
          <Text c="dimmed" size="xs">
            {t("signin.noAccount")}{" "}
            <Anchor component={Link} to="/help" size="xs">
              {t("signin.help")}
            </Anchor>
          </Text>
        </Stack>
      </Paper>
      {session.error !== null && <ErrorNote error={session.error} onRetry={() => void session.refetch()} />}
    </main>
  );
}
