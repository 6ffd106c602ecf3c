/** The map with the panels around it; in review, the strip below it. */
import { ActionIcon, Tooltip } from "@mantine/core";
import { useHotkeys, useLocalStorage } from "@mantine/hooks";
import { IconLayoutSidebarRightCollapse, IconLayoutSidebarRightExpand, IconPhotoPlus } from "@tabler/icons-react";
import { Button } from "@mantine/core";
import { useEffect, type ComponentType } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import { ClassPalette } from "../panel/ClassPalette";
import { LayersPanel } from "../panel/LayersPanel";
import { SelectedPanel } from "../panel/SelectedPanel";
import { EmptyState } from "../parts/EmptyState";
import { Section } from "../parts/Section";
import { useActions, useLoaded, useRasters, useTool } from "../project";
import { ReviewStrip } from "../review/ReviewStrip";
import { DraftBar } from "../shell/DraftBar";
import { MeasureBar } from "../shell/MeasureBar";
import { StatusBar } from "../shell/StatusBar";
import { ToolRail } from "../shell/ToolRail";
import classes from "./MapScreen.module.css";

interface MapScreenProps {
  readonly projectId: string;
  readonly MapView: ComponentType;
  readonly shown: boolean;
  readonly review: boolean;
}

export function MapScreen({ projectId, MapView, shown, review }: MapScreenProps) {
  const { t } = useTranslation();
  const [panelOpen, setPanelOpen] = useLocalStorage({
    key: "edgewise.panel",
    defaultValue: true,
    getInitialValueInEffect: false,
  });
  const tool = useTool();
  const toggle = () => setPanelOpen((old) => !old);
  useHotkeys(shown ? [["]", toggle]] : []);
  useAddressed(shown);
  const label = t(panelOpen ? "shell.foldPanel" : "shell.unfoldPanel");
  return (
    <div className={classes["screen"]} data-hidden={!shown || undefined} data-testid="map-screen">
      <div className={classes["middle"]}>
        {(!review || tool === "edit") && <ToolRail />}
        <div className={classes["map"]}>
          <MapView />
          <DraftBar />
          <MeasureBar />
          <NoRaster projectId={projectId} />
        </div>
        <aside className={classes["panel"]} data-closed={!panelOpen || undefined} aria-label={t("shell.panel")}>
          <div className={classes["fold"]}>
            <Tooltip
              position="left"
              label={
                <>
                  {label} <kbd>]</kbd>
                </>
              }
            >
              <ActionIcon size={28} onClick={toggle} aria-label={label} data-testid="panel-toggle">
                {panelOpen ? <IconLayoutSidebarRightCollapse size={18} /> : <IconLayoutSidebarRightExpand size={18} />}
              </ActionIcon>
            </Tooltip>
          </div>
          {panelOpen && (
            <div className={classes["panelBody"]} data-testid="right-panel">
              {!review && (
                <Section title={t("settings.classes")}>
                  <ClassPalette projectId={projectId} />
                </Section>
              )}
              <SelectedPanel />
              <Section title={t("layers.title")} startOpen={!review} testId="layers-panel">
                <LayersPanel />
              </Section>
            </div>
          )}
        </aside>
      </div>
      {review && <ReviewStrip projectId={projectId} />}
      <StatusBar />
    </div>
  );
}

/** Over an empty map: what is missing before one can work. */
function NoRaster({ projectId }: { readonly projectId: string }) {
  const { t } = useTranslation();
  const loaded = useLoaded();
  const rasters = useRasters();
  if (!loaded || rasters.some((raster) => raster.state === "viewable")) return null;
  const coming = rasters.some((raster) => raster.state === "inspecting" || raster.state === "preparing");
  return (
    <div className={classes["over"]}>
      <EmptyState
        icon={<IconPhotoPlus size={26} />}
        title={t(coming ? "shell.rasterComing" : "data.emptyTitle")}
        text={t(coming ? "shell.rasterComingText" : "shell.noRasterText")}
        action={
          <Button component={Link} to={`/projects/${projectId}/data`} data-testid="go-to-data">
            {t("shell.manageRasters")}
          </Button>
        }
        testId="map-empty"
      />
    </div>
  );
}

/** `?raster=` and `?shape=` say what to show; once shown they leave the address. */
function useAddressed(shown: boolean): void {
  const [search, setSearch] = useSearchParams();
  const actions = useActions();
  const loaded = useLoaded();
  const raster = search.get("raster");
  const shape = search.get("shape");
  useEffect(() => {
    if (!shown || !loaded || (raster === null && shape === null)) return;
    if (raster !== null) actions.openRaster(raster);
    if (shape !== null) {
      actions.select(shape);
      actions.zoomToAnnotation(shape);
    }
    setSearch({}, { replace: true });
  }, [actions, loaded, raster, setSearch, shape, shown]);
}
