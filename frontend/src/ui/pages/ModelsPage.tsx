/** The administrator's page of models: what is installed, can be installed, and is under way; and who encodes. */
import { Alert, Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle, IconCloudOff, IconLock } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import { isActive } from "../data/rasterFacts";
import { FromFile } from "../models/FromFile";
import { InstalledModels } from "../models/InstalledModels";
import { Orphans } from "../models/Orphans";
import { PublishedModels } from "../models/PublishedModels";
import { Work } from "../models/Work";
import { Workers } from "../models/Workers";
import { EmptyState } from "../parts/EmptyState";
import { ErrorNote } from "../parts/ErrorNote";
import { PageBar } from "../parts/PageBar";
import { keys } from "../query";
import { useUser } from "../session";
import { useTitle } from "../useTitle";
import classes from "./Page.module.css";

const FOLLOW_MS = 1_000;

export function ModelsPage() {
  const { t } = useTranslation();
  useTitle(t("models.title"));
  const admin = useUser().is_staff;
  return (
    <div className={classes["frame"]}>
      <PageBar />
      <main className={classes["scroll"]} data-testid="models-page">
        <Stack className={classes["column"]} gap="lg">
          <div>
            <Title order={1}>{t("models.title")}</Title>
            <Text c="dimmed">{t("models.text")}</Text>
          </div>
          {admin ? (
            <Everything />
          ) : (
            <Paper withBorder className={classes["panel"]}>
              <EmptyState
                icon={<IconLock size={26} />}
                title={t("models.adminsOnly")}
                text={t("models.adminsOnlyText")}
                testId="models-admins-only"
              />
            </Paper>
          )}
        </Stack>
      </main>
    </div>
  );
}

function Everything() {
  const { t } = useTranslation();
  const page = useQuery({
    queryKey: keys.models,
    queryFn: () => api.models.page(),
    refetchInterval: ({ state }) => (state.data?.jobs.some(isActive) === true ? FOLLOW_MS : false),
  });
  if (page.data === undefined) {
    return page.isPending ? (
      <Skeleton height={320} />
    ) : (
      <ErrorNote error={page.error} onRetry={() => void page.refetch()} />
    );
  }
  const said = page.data;
  return (
    <>
      {said.default.error !== null && (
        <Alert color="red" variant="light" icon={<IconAlertTriangle size={18} />} p="sm">
          {said.default.error}
        </Alert>
      )}
      {said.offline && (
        <Alert
          color="yellow"
          variant="light"
          icon={<IconCloudOff size={18} />}
          title={t("models.offline")}
          data-testid="models-offline"
        >
          {t("models.offlineText", { folder: said.checkpoints.folder })}
        </Alert>
      )}
      {said.missing.length > 0 && (
        <Alert
          color="yellow"
          variant="light"
          icon={<IconAlertTriangle size={18} />}
          title={t("models.missing")}
          data-testid="models-missing"
        >
          {t("models.missingText", { names: said.missing.join(", "), folder: said.folder })}
        </Alert>
      )}
      {said.jobs.length > 0 && (
        <Paper withBorder p="lg" className={classes["panel"]}>
          <Work jobs={said.jobs} />
        </Paper>
      )}
      <Paper withBorder p="lg" className={classes["panel"]}>
        <InstalledModels page={said} />
      </Paper>
      <Paper withBorder p="lg" className={classes["panel"]}>
        <PublishedModels page={said} />
      </Paper>
      <Paper withBorder p="lg" className={classes["panel"]}>
        <FromFile page={said} />
      </Paper>
      {said.orphans.length > 0 && (
        <Paper withBorder p="lg" className={classes["panel"]}>
          <Orphans page={said} />
        </Paper>
      )}
      <Paper withBorder p="lg" className={classes["panel"]}>
        <Workers />
      </Paper>
    </>
  );
}
