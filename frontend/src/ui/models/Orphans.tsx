/** Embeddings of models that are not installed any more. */
import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import type { ModelsPage } from "../../protocol/models";
import { formatBytes, formatCount } from "../format";
import classes from "./Models.module.css";
import { usePageAction } from "./usePageAction";

export function Orphans({ page }: { readonly page: ModelsPage }) {
  const { t } = useTranslation();
  const clear = usePageAction((hash: string) => api.models.clear(hash));
  const confirm = (hash: string, count: number, size: number) =>
    modals.openConfirmModal({
      title: t("models.clearTitle", { n: formatCount(count) }),
      children: <Text>{t("models.clearText", { size: formatBytes(size) })}</Text>,
      labels: { confirm: t("models.clear"), cancel: t("action.cancel") },
      confirmProps: { color: "red" },
      onConfirm: () => clear.mutate(hash),
    });
  return (
    <Stack gap="xs">
      <div>
        <Title order={2}>{t("models.orphans")}</Title>
        <Text c="dimmed">{t("models.orphansText")}</Text>
      </div>
      {page.orphans.map(({ hash, embeddings, embedding_bytes }) => (
        <Group key={hash} justify="space-between" wrap="nowrap" data-testid={`orphan-${hash.slice(0, 8)}`}>
          <Text>
            <span className={classes["mono"]} title={hash}>
              {hash.slice(0, 16)}
            </span>{" "}
            {t("models.embeddingsOf", { n: formatCount(embeddings), size: formatBytes(embedding_bytes) })}
          </Text>
          <Button
            size="xs"
            variant="default"
            flex="none"
            onClick={() => confirm(hash, embeddings, embedding_bytes)}
            loading={clear.isPending}
          >
            {t("models.clear")}
          </Button>
        </Group>
      ))}
    </Stack>
  );
}
