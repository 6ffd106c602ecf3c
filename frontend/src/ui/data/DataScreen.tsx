/** The project's imagery and what was exported from it. */
import { Button, Group, Menu, SimpleGrid, Stack, Tabs, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconFolder, IconPackageExport, IconPhoto, IconPhotoPlus, IconPlus, IconUpload } from "@tabler/icons-react";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import page from "../pages/Page.module.css";
import { EmptyState } from "../parts/EmptyState";
import { useRasters, useRole } from "../project";
import { DropZone } from "./DropZone";
import { ExportSection } from "./ExportSection";
import { FolderDialog } from "./FolderDialog";
import { RasterCard } from "./RasterCard";
import { UploadCard } from "./UploadCard";
import { useUploads } from "./uploads";

export function DataScreen({ projectId }: { readonly projectId: string }) {
  const { t } = useTranslation();
  const [search, setSearch] = useSearchParams();
  const tab = search.get("tab") === "exports" ? "exports" : "rasters";
  return (
    <main className={page["scroll"]} data-testid="data-screen">
      <div className={page["column"]}>
        <Tabs
          value={tab}
          onChange={(value) => setSearch({ tab: value ?? "rasters" }, { replace: true })}
          keepMounted={false}
        >
          <Tabs.List mb="lg">
            <Tabs.Tab value="rasters" leftSection={<IconPhoto size={16} />} data-testid="data-tab-rasters">
              {t("data.rasters")}
            </Tabs.Tab>
            <Tabs.Tab value="exports" leftSection={<IconPackageExport size={16} />} data-testid="data-tab-exports">
              {t("data.exports")}
            </Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="rasters">
            <Rasters projectId={projectId} />
          </Tabs.Panel>
          <Tabs.Panel value="exports">
            <ExportSection projectId={projectId} />
          </Tabs.Panel>
        </Tabs>
      </div>
    </main>
  );
}

function Rasters({ projectId }: { readonly projectId: string }) {
  const { t } = useTranslation();
  const rasters = useRasters();
  const owner = useRole() === "owner";
  const uploads = useUploads(projectId);
  const input = useRef<HTMLInputElement>(null);
  const [browsing, { open: browse, close: stopBrowsing }] = useDisclosure(false);
  const running = new Set(uploads.list.flatMap((upload) => (upload.rasterId === null ? [] : [upload.rasterId])));
  const cards = rasters.filter((raster) => !running.has(raster.id));
  const choose = () => input.current?.click();
  const add = owner && (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button leftSection={<IconPlus size={16} />} data-testid="raster-add">
          {t("data.add")}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconUpload size={16} />} onClick={choose} data-testid="raster-upload">
          {t("data.upload")}
        </Menu.Item>
        <Menu.Item leftSection={<IconFolder size={16} />} onClick={browse} data-testid="raster-browse">
          {t("data.browse")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
  return (
    <Stack gap="lg">
      <Group justify="space-between">
        <Title order={1}>{t("data.rasters")}</Title>
        {(cards.length > 0 || uploads.list.length > 0) && add}
      </Group>
      <input
        ref={input}
        type="file"
        accept=".tif,.tiff,.gtiff,image/tiff"
        multiple
        hidden
        data-testid="raster-file-input"
        onChange={(event) => {
          uploads.add([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = "";
        }}
      />
      {cards.length === 0 && uploads.list.length === 0 && (
        <EmptyState
          icon={<IconPhotoPlus size={26} />}
          title={t("data.emptyTitle")}
          text={t(owner ? "data.emptyText" : "data.emptyTextOthers")}
          action={add}
          testId="rasters-empty"
        />
      )}
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="lg" data-testid="raster-list">
        {uploads.list.map((upload) => (
          <UploadCard
            key={upload.key}
            upload={upload}
            onPause={() => uploads.pause(upload.key)}
            onResume={() => uploads.resume(upload.key)}
            onCancel={() => uploads.cancel(upload.key)}
          />
        ))}
        {cards.map((raster) => (
          <RasterCard key={raster.id} projectId={projectId} raster={raster} onResumeUpload={choose} />
        ))}
      </SimpleGrid>
      {owner && <DropZone onFiles={uploads.add} />}
      <FolderDialog projectId={projectId} opened={browsing} onClose={stopBrowsing} />
    </Stack>
  );
}
