/** Installed models: what they are, who has them, how much they take, and what can be done with them. */
import { Badge, Button, Group, Stack, Text, Title, Tooltip } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import type { InstalledModel, ModelsPage } from "../../protocol/models";
import { formatBytes, formatCount } from "../format";
import { RelativeTime } from "../parts/RelativeTime";
import classes from "./Models.module.css";
import { RemoveDialog } from "./RemoveDialog";
import { usePageAction } from "./usePageAction";

export function InstalledModels({ page }: { readonly page: ModelsPage }) {
  const { t } = useTranslation();
  const [removing, setRemoving] = useState<InstalledModel | null>(null);
  return (
    <Stack gap="xs">
      <div>
        <Title order={2}>{t("models.installed")}</Title>
        <Text c="dimmed">{t("models.installedText", { free: formatBytes(page.free_bytes), folder: page.folder })}</Text>
      </div>
      <div data-testid="models-installed">
        {page.installed.map((model) => (
          <Model key={model.name} model={model} page={page} onRemove={() => setRemoving(model)} />
        ))}
      </div>
      {removing !== null && <RemoveDialog model={removing} page={page} onClose={() => setRemoving(null)} />}
    </Stack>
  );
}

interface ModelProps {
  readonly model: InstalledModel;
  readonly page: ModelsPage;
  readonly onRemove: () => void;
}

function Model({ model, page, onRemove }: ModelProps) {
  const { t } = useTranslation();
  return (
    <section className={classes["model"]} data-testid={`installed-${model.name}`}>
      <Group justify="space-between" align="flex-start" wrap="nowrap" mb={6}>
        <Group gap="sm">
          <Text fw={600}>{model.name}</Text>
          {model.default && (
            <Tooltip label={t("models.defaultHelp")}>
              <Badge variant="light">{t("models.default")}</Badge>
            </Tooltip>
          )}
          {model.error !== null && (
            <Badge variant="light" color="red">
              {t("models.broken")}
            </Badge>
          )}
          <Text c="dimmed" size="sm">
            {model.architecture}
          </Text>
        </Group>
        <ModelActions model={model} page={page} onRemove={onRemove} />
      </Group>
      {model.error === null ? (
        <Facts model={model} />
      ) : (
        <Text size="sm" c="var(--mantine-color-error)">
          {model.error}
        </Text>
      )}
    </section>
  );
}

function Facts({ model }: { readonly model: InstalledModel }) {
  const { t } = useTranslation();
  const users = model.projects.map((project) => project.name);
  if (model.by_default > 0) users.push(t("models.byDefault", { count: model.by_default }));
  const known = model.encoders.map((one) => (one === "torch" || one === "onnx" ? t(`models.encoder.${one}`) : one));
  return (
    <dl className={classes["facts"]}>
      <Fact label={t("models.onDisk")}>{formatBytes(model.bytes)}</Fact>
      <Fact label={t("models.encoders")}>{known.join(", ")}</Fact>
      <Fact label={t("models.embeddings")}>
        {t("models.embeddingsOf", {
          n: formatCount(model.embeddings),
          size: formatBytes(model.embedding_bytes),
        })}
      </Fact>
      <Fact label={t("models.hash")}>
        <span className={classes["mono"]} title={model.hash ?? ""}>
          {model.hash?.slice(0, 16)}
        </span>
      </Fact>
      <Fact label={t("models.usedBy")} wide>
        {users.length === 0 ? t("models.unused") : users.join(", ")}
      </Fact>
      <Fact label={t("models.verified")} wide>
        <Verified model={model} />
      </Fact>
    </dl>
  );
}

function Fact({
  label,
  wide,
  children,
}: {
  readonly label: string;
  readonly wide?: boolean;
  readonly children: ReactNode;
}) {
  return (
    <div className={wide === true ? classes["wide"] : undefined}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Verified({ model: { verified, name } }: { readonly model: InstalledModel }) {
  const { t } = useTranslation();
  if (verified === null) return t("models.notVerified");
  const words = t(verified.passed ? "models.passed" : "models.failedCheck", {
    largest: verified.largest?.toExponential(1) ?? "–",
    bound: verified.bound?.toExponential(0) ?? "–",
    n: verified.prompts,
  });
  return (
    <Tooltip label={<span className={classes["words"]}>{verified.table}</span>} multiline maw={620}>
      <span data-testid={`verified-${name}`} tabIndex={0}>
        <Text span inherit c={verified.passed ? undefined : "var(--mantine-color-error)"}>
          {words}
        </Text>{" "}
        <Text span inherit c="dimmed">
          <RelativeTime iso={verified.at} />
        </Text>
      </span>
    </Tooltip>
  );
}

function ModelActions({ model, page, onRemove }: ModelProps) {
  const { t } = useTranslation();
  const verify = usePageAction(() => api.models.verify(model.name));
  const makeDefault = usePageAction(() => api.models.makeDefault(model.name));
  const clear = usePageAction((hash: string) => api.models.clear(hash));
  const used = model.projects.length > 0 || model.by_default > 0;
  const sound = model.error === null;
  const comparable = model.encoders.includes("torch") && page.missing.length === 0;
  const confirmDefault = () =>
    modals.openConfirmModal({
      title: t("models.makeDefaultTitle", { name: model.name }),
      children: <Text>{t("models.makeDefaultText")}</Text>,
      labels: { confirm: t("models.makeDefault"), cancel: t("action.cancel") },
      onConfirm: () => makeDefault.mutate(),
    });
  const confirmClear = (hash: string) =>
    modals.openConfirmModal({
      title: t("models.clearTitle", { n: formatCount(model.embeddings) }),
      children: <Text>{t("models.clearText", { size: formatBytes(model.embedding_bytes) })}</Text>,
      labels: { confirm: t("models.clear"), cancel: t("action.cancel") },
      confirmProps: { color: "red" },
      onConfirm: () => clear.mutate(hash),
    });
  return (
    <Group gap="xs" wrap="nowrap" flex="none">
      {sound && (
        <Tooltip label={t(comparable ? "models.verifyHelp" : "models.verifyWithout")} multiline maw={320}>
          <Button
            size="xs"
            variant="default"
            onClick={() => comparable && verify.mutate()}
            loading={verify.isPending}
            data-disabled={!comparable || undefined}
            aria-disabled={!comparable}
            data-testid={`verify-${model.name}`}
          >
            {t("models.verify")}
          </Button>
        </Tooltip>
      )}
      {sound && !model.default && page.default.from !== "environment" && (
        <Button
          size="xs"
          variant="default"
          onClick={confirmDefault}
          loading={makeDefault.isPending}
          data-testid={`default-${model.name}`}
        >
          {t("models.makeDefault")}
        </Button>
      )}
      {model.hash !== null && model.embeddings > 0 && !used && (
        <Button
          size="xs"
          variant="default"
          onClick={() => confirmClear(model.hash ?? "")}
          loading={clear.isPending}
          data-testid={`clear-${model.name}`}
        >
          {t("models.clear")}
        </Button>
      )}
      {model.ours && !model.default && (
        <Button
          size="xs"
          variant="default"
          c="var(--mantine-color-error)"
          onClick={onRemove}
          data-testid={`remove-${model.name}`}
        >
          {t("models.remove")}
        </Button>
      )}
    </Group>
  );
}
