/** What Meta has published and is not installed yet: size, address, checksum, licence, and the button. */
import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import type { ModelsPage, PublishedModel } from "../../protocol/models";
import { isActive } from "../data/rasterFacts";
import { formatBytes } from "../format";
import classes from "./Models.module.css";
import { usePageAction } from "./usePageAction";

export function PublishedModels({ page }: { readonly page: ModelsPage }) {
  const { t } = useTranslation();
  return (
    <Stack gap="xs">
      <div>
        <Title order={2}>{t("models.published")}</Title>
        <Text c="dimmed">
          {t("models.publishedText")} {page.mirror !== "" && t("models.publishedMirror", { host: page.mirror })}
        </Text>
      </div>
      {page.published.length === 0 && <Text>{t("models.allInstalled")}</Text>}
      <div data-testid="models-published">
        {page.published.map((model) => (
          <Row key={model.name} model={model} page={page} />
        ))}
      </div>
    </Stack>
  );
}

function Row({ model, page }: { readonly model: PublishedModel; readonly page: ModelsPage }) {
  const { t } = useTranslation();
  const install = usePageAction(() => api.models.install({ name: model.name }));
  const busy = page.jobs.some((job) => job.model === model.name && isActive(job));
  const facts = [
    formatBytes(model.bytes),
    t("models.parameters", { n: Math.round(model.parameters / 1e6) }),
    model.licence,
  ];
  if (model.downloaded_bytes > 0) facts.push(t("models.partly", { size: formatBytes(model.downloaded_bytes) }));
  return (
    <section className={classes["model"]} data-testid={`published-${model.name}`}>
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <div>
          <Group gap="sm">
            <Text fw={600}>{model.name}</Text>
            <Text c="dimmed" size="sm">
              {facts.join(" · ")}
            </Text>
          </Group>
          <Text c="dimmed" className={classes["mono"]}>
            {model.address}
          </Text>
          {model.sha256 !== null && (
            <Text c="dimmed" className={classes["mono"]}>
              SHA-256 {model.sha256}
            </Text>
          )}
        </div>
        <Button
          size="xs"
          flex="none"
          variant="default"
          onClick={() => install.mutate()}
          loading={install.isPending}
          disabled={busy || page.offline || page.missing.length > 0}
          data-testid={`install-${model.name}`}
        >
          {t(model.downloaded_bytes > 0 ? "models.goOn" : "models.install")}
        </Button>
      </Group>
    </section>
  );
}
