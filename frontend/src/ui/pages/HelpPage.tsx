/** How to work with Edgewise, on one page. */
import { Paper, Stack, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { KeyList } from "../parts/KeyList";
import { PageBar } from "../parts/PageBar";
import { StatusLabel, STATUSES } from "../parts/StatusMark";
import { useTitle } from "../useTitle";
import classes from "./Page.module.css";

const STEPS = ["raster", "classes", "click", "correct", "accept", "outline", "review", "export", "model"] as const;

export function HelpPage() {
  const { t } = useTranslation();
  useTitle(t("nav.help"));
  return (
    <div className={classes["frame"]}>
      <PageBar />
      <main className={classes["scroll"]} data-testid="help-page" tabIndex={0}>
        <Stack className={`${classes["column"] ?? ""} ${classes["narrow"] ?? ""}`} gap="lg">
          <Title order={1}>{t("help.title")}</Title>
          <Paper withBorder p="lg" className={classes["panel"]}>
            <Stack gap="md" component="ol" m={0} pl="lg">
              {STEPS.map((step) => (
                <li key={step}>
                  <Text fw={600}>{t(`help.${step}.title`)}</Text>
                  <Text c="dimmed">{t(`help.${step}.text`)}</Text>
                </li>
              ))}
            </Stack>
          </Paper>
          <Paper withBorder p="lg" className={classes["panel"]}>
            <Title order={2} mb="sm">
              {t("help.statuses")}
            </Title>
            <Stack gap="sm">
              {STATUSES.map((status) => (
                <div key={status}>
                  <StatusLabel status={status} />
                  <Text c="dimmed" pl={18}>
                    {t(`help.status.${status}`)}
                  </Text>
                </div>
              ))}
            </Stack>
          </Paper>
          <Paper withBorder p="lg" className={classes["panel"]}>
            <Title order={2} mb="md">
              {t("nav.allKeys")}
            </Title>
            <KeyList />
          </Paper>
        </Stack>
      </main>
    </div>
  );
}
