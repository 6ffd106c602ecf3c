/** An open project: its bar, and one of its screens; the map stays alive between them. */
import { Button, Center, Loader } from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { IconMapOff } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, type ComponentType, type MouseEvent } from "react";
import { useTranslation } from "react-i18next";
import { Link, Navigate, useParams } from "react-router";
import { api } from "../../net/api";
import { ApiError } from "../../net/http";
import { ActivityScreen } from "../activity/ActivityScreen";
import { DataScreen } from "../data/DataScreen";
import { ConflictDialog } from "../dialogs/ConflictDialog";
import { KeysDialog } from "../dialogs/KeysDialog";
import { EmptyState } from "../parts/EmptyState";
import { releaseKeys } from "../focus";
import { ErrorNote } from "../parts/ErrorNote";
import { useActions } from "../project";
import { keys } from "../query";
import { SettingsScreen } from "../settings/SettingsScreen";
import { ConnectionBanner } from "../shell/ConnectionBanner";
import { Notices } from "../shell/Notices";
import { TopBar } from "../shell/TopBar";
import { useTitle } from "../useTitle";
import { MapScreen } from "./MapScreen";
import page from "./Page.module.css";

export function ProjectShell({ MapView }: { readonly MapView: ComponentType }) {
  const { t } = useTranslation();
  const { projectId = "", screen = "map" } = useParams();
  const actions = useActions();
  const [keysShown, { toggle: toggleKeys, close: hideKeys }] = useDisclosure(false);
  const project = useQuery({ queryKey: keys.project(projectId), queryFn: () => api.projects.get(projectId) });
  const known = project.data?.id;
  useTitle(project.data?.name ?? "");
  useHotkeys([
    ["shift+?", toggleKeys],
    ["?", toggleKeys], // keyboards that have it without Shift
  ]);

  const onMap = screen === "map" || screen === "review";
  const reviewing = screen === "review";
  useEffect(() => {
    if (known === undefined) return undefined;
    actions.openProject(known);
    return () => actions.closeProject();
  }, [actions, known]);
  useEffect(() => actions.setReview(reviewing), [actions, known, reviewing]);

  if (project.error instanceof ApiError && project.error.status === 404) {
    return (
      <Center h="100%">
        <EmptyState
          icon={<IconMapOff size={26} />}
          title={t("notFound.title")}
          text={t("notFound.text")}
          action={
            <Button component={Link} to="/">
              {t("action.home")}
            </Button>
          }
        />
      </Center>
    );
  }
  if (project.data === undefined) {
    return (
      <Center h="100%" p="lg">
        {project.isPending ? (
          <Loader size="sm" />
        ) : (
          <ErrorNote error={project.error} onRetry={() => void project.refetch()} />
        )}
      </Center>
    );
  }
  return (
    <div className={page["frame"]} onClick={releaseFocus}>
      <TopBar projectId={projectId} projectName={project.data.name} onKeys={toggleKeys} />
      <ConnectionBanner />
      <MapScreen projectId={projectId} MapView={MapView} shown={onMap} review={reviewing} />
      {screen === "data" && <DataScreen projectId={projectId} />}
      {screen === "activity" && <ActivityScreen projectId={projectId} />}
      {screen === "settings" && <SettingsScreen projectId={projectId} />}
      {!onMap && !["data", "activity", "settings"].includes(screen) && <Navigate to="../map" relative="path" replace />}
      <KeysDialog opened={keysShown} onClose={hideKeys} />
      <ConflictDialog />
      <Notices />
    </div>
  );
}

/** After a click with the mouse the keys belong to the map again, not to the button that was clicked. */
function releaseFocus(event: MouseEvent<HTMLElement>): void {
  const focused = document.activeElement;
  if (event.detail === 0 || !(focused instanceof HTMLElement)) return;
  if (
    focused.matches("button:not([aria-haspopup]), a, [role=radio]") &&
    focused.closest("form, [role=dialog]") === null
  ) {
    releaseKeys();
  }
}
