/** One's own account: password and tokens for scripts. */
import { Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { PasswordForm } from "../account/PasswordForm";
import { TokenSection } from "../account/TokenSection";
import { PageBar } from "../parts/PageBar";
import { PersonDot } from "../parts/PersonDot";
import { useUser } from "../session";
import { useTitle } from "../useTitle";
import classes from "./Page.module.css";

export function AccountPage() {
  const { t } = useTranslation();
  useTitle(t("account.title"));
  const user = useUser();
  return (
    <div className={classes["frame"]}>
      <PageBar />
      <main className={classes["scroll"]}>
        <Stack className={`${classes["column"] ?? ""} ${classes["narrow"] ?? ""}`} gap="lg">
          <Group gap="md">
            <PersonDot name={user.display_name} colour={user.colour} size={40} />
            <div>
              <Title order={1}>{user.display_name}</Title>
              <Text c="dimmed">{user.username}</Text>
            </div>
          </Group>
          <Paper withBorder p="lg" className={classes["panel"]}>
            <PasswordForm />
          </Paper>
          <Paper withBorder p="lg" className={classes["panel"]}>
            <TokenSection />
          </Paper>
        </Stack>
      </main>
    </div>
  );
}
