/** The project's own settings: what it is, who works in it, which classes it has. */
import { Paper, Stack, Tabs } from "@mantine/core";
import { IconAdjustments, IconSparkles, IconTags, IconUsers } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import page from "../pages/Page.module.css";
import { ClassesSection } from "./ClassesSection";
import { GeneralSection } from "./GeneralSection";
import { ModelSection } from "./ModelSection";
import { MembersSection } from "./MembersSection";

const TABS = ["classes", "members", "model", "general"] as const;

export function SettingsScreen({ projectId }: { readonly projectId: string }) {
  const { t } = useTranslation();
  const [search, setSearch] = useSearchParams();
  const asked = search.get("tab");
  const tab = TABS.find((name) => name === asked) ?? "classes";
  return (
    <main className={page["scroll"]} data-testid="settings-screen">
      <div className={page["column"]}>
        <Tabs
          value={tab}
          onChange={(value) => setSearch({ tab: value ?? "classes" }, { replace: true })}
          keepMounted={false}
        >
          <Tabs.List mb="lg">
            <Tabs.Tab value="classes" leftSection={<IconTags size={16} />} data-testid="settings-tab-classes">
              {t("settings.classes")}
            </Tabs.Tab>
            <Tabs.Tab value="members" leftSection={<IconUsers size={16} />} data-testid="settings-tab-members">
              {t("settings.members")}
            </Tabs.Tab>
            <Tabs.Tab value="model" leftSection={<IconSparkles size={16} />} data-testid="settings-tab-model">
              {t("settings.model")}
            </Tabs.Tab>
            <Tabs.Tab value="general" leftSection={<IconAdjustments size={16} />} data-testid="settings-tab-general">
              {t("settings.general")}
            </Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="classes">
            <Paper withBorder p="lg" className={page["panel"]}>
              <ClassesSection projectId={projectId} />
            </Paper>
          </Tabs.Panel>
          <Tabs.Panel value="members">
            <Paper withBorder p="lg" className={page["panel"]}>
              <MembersSection projectId={projectId} />
            </Paper>
          </Tabs.Panel>
          <Tabs.Panel value="model">
            <Paper withBorder p="lg" className={page["panel"]}>
              <ModelSection projectId={projectId} />
            </Paper>
          </Tabs.Panel>
          <Tabs.Panel value="general">
            <Stack gap="lg">
              <GeneralSection projectId={projectId} />
            </Stack>
          </Tabs.Panel>
        </Tabs>
      </div>
    </main>
  );
}
