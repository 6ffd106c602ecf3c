/** The 28 px bar below the map: what the next click does, where one is, whether work is saved. */
import { Tooltip, UnstyledButton } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { IconAlertTriangle, IconCheck, IconCloudOff, IconCloudUp } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { formatLength, formatLonLat, plainLonLat } from "../format";
import { useActions, useActiveRaster, useConnection, useHint, useMapFacts, useSaveState } from "../project";
import { scaleBar } from "./scale";
import classes from "./StatusBar.module.css";

export function StatusBar() {
  const { t } = useTranslation();
  const hint = useHint();
  const raster = useActiveRaster();
  const facts = useMapFacts();
  const epsg = raster?.crs?.epsg ?? null;
  return (
    <footer className={classes["bar"]} data-testid="status-bar">
      <span className={classes["hint"]} role="status" data-testid="status-hint" title={hint}>
        {hint}
      </span>
      {facts !== null && (
        <>
          <Scale metresPerPixel={facts.metresPerPixel} />
          <Coordinates cursor={facts.cursor} />
          {raster?.crs !== null && raster !== null && (
            <Tooltip label={t("statusBar.crs", { name: raster.crs.name })}>
              <span className={classes["item"]}>{epsg === null ? t("statusBar.ownCrs") : `EPSG:${epsg}`}</span>
            </Tooltip>
          )}
          <span className={classes["item"]} data-testid="status-zoom">
            z{facts.zoom.toFixed(1)}
          </span>
        </>
      )}
      <Saved />
    </footer>
  );
}

function Scale({ metresPerPixel }: { readonly metresPerPixel: number }) {
  const { t } = useTranslation();
  const bar = scaleBar(metresPerPixel);
  if (bar === null) return null;
  const words = formatLength(bar.metres);
  return (
    <span className={classes["scale"]} aria-label={t("statusBar.scale", { length: words })} data-testid="scale-bar">
      <span className={classes["ruler"]} style={{ width: bar.pixels }} />
      {words}
    </span>
  );
}

function Coordinates({ cursor }: { readonly cursor: readonly [number, number] | null }) {
  const { t } = useTranslation();
  const clipboard = useClipboard({ timeout: 1500 });
  if (cursor === null) return <span className={classes["coordinates"]} />;
  const [lon, lat] = cursor;
  return (
    <Tooltip label={clipboard.copied ? t("action.copied") : t("statusBar.copy")}>
      <UnstyledButton
        className={classes["coordinates"]}
        onClick={() => clipboard.copy(plainLonLat(lon, lat))}
        data-testid="coordinates"
      >
        {formatLonLat(lon, lat)}
      </UnstyledButton>
    </Tooltip>
  );
}

function Saved() {
  const { t } = useTranslation();
  const { waiting, failed } = useSaveState();
  const connection = useConnection();
  const actions = useActions();
  if (failed > 0) {
    return (
      <UnstyledButton
        className={classes["saved"]}
        data-state="failed"
        onClick={() => actions.retrySaving()}
        data-testid="save-state"
      >
        <IconAlertTriangle size={14} />
        {t("saved.failed", { count: failed })}
      </UnstyledButton>
    );
  }
  const offline = connection === "lost";
  const state = waiting > 0 ? (offline ? "offline" : "saving") : "saved";
  const SavedIcon = state === "saved" ? IconCheck : offline ? IconCloudOff : IconCloudUp;
  return (
    <span className={classes["saved"]} data-state={state} role="status" data-testid="save-state">
      <SavedIcon size={14} />
      {t(`saved.${state}`, { count: waiting })}
    </span>
  );
}
