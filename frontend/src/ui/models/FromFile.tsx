/** Installing a checkpoint that lies in the server's folder for them. */
import { Button, Checkbox, Group, Select, Stack, Text, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../net/api";
import type { ModelsPage } from "../../protocol/models";
import { formatBytes } from "../format";
import { usePageAction } from "./usePageAction";

/** The sizes of SAM 2.1, whether installed already or not. */
const SHAPES = ["sam2.1_hiera_tiny", "sam2.1_hiera_small", "sam2.1_hiera_base_plus", "sam2.1_hiera_large"] as const;

export function FromFile({ page }: { readonly page: ModelsPage }) {
  const { t } = useTranslation();
  const { files, folder } = page.checkpoints;
  const [file, setFile] = useState<string | null>(null);
  const [shape, setShape] = useState<string | null>(null);
  const [own, setOwn] = useState(false);
  const install = usePageAction(() => api.models.install({ name: shape ?? "", checkpoint: file ?? "", own }));
  const choose = (name: string | null) => {
    setFile(name);
    setShape(SHAPES.find((one) => name?.startsWith(one) === true) ?? shape);
  };
  return (
    <Stack>
      <div>
        <Title order={2}>{t("models.file")}</Title>
        <Text c="dimmed">{t("models.fileText", { folder })}</Text>
      </div>
      {files.length === 0 ? (
        <Text c="dimmed" data-testid="models-no-files">
          {t("models.noFiles")}
        </Text>
      ) : (
        <>
          <Group align="flex-end" wrap="nowrap">
            <Select
              flex={1}
              label={t("models.fileLabel")}
              value={file}
              onChange={choose}
              data={files.map(({ name, bytes }) => ({ value: name, label: `${name} (${formatBytes(bytes)})` }))}
              data-testid="models-file"
            />
            <Select
              w={240}
              label={t("models.shape")}
              value={shape}
              onChange={setShape}
              data={[...SHAPES]}
              data-testid="models-shape"
            />
            <Button
              flex="none"
              onClick={() => install.mutate()}
              loading={install.isPending}
              disabled={file === null || shape === null || page.missing.length > 0}
              data-testid="models-install-file"
            >
              {t("models.install")}
            </Button>
          </Group>
          <Checkbox
            label={t("models.own")}
            description={t("models.ownHelp")}
            checked={own}
            onChange={(event) => setOwn(event.currentTarget.checked)}
            data-testid="models-own"
          />
        </>
      )}
    </Stack>
  );
}
