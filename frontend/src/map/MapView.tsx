/** The map as a component: fills its parent, keeps its engine as long as the page lives. */
import "ol/ol.css";
import { useEffect, useRef, type ComponentType } from "react";
import { useTranslation } from "react-i18next";
import type { MapEngine } from "./engine";

export function mapView(engine: MapEngine): ComponentType {
  return function MapView() {
    const { t } = useTranslation();
    const target = useRef<HTMLDivElement>(null);
    useEffect(() => (target.current === null ? undefined : engine.attach(target.current)), []);
    return (
      <div
        ref={target}
        role="application"
        aria-label={t("shell.map")}
        tabIndex={0}
        data-testid="map"
        style={{ position: "absolute", inset: 0, outlineOffset: -2 }}
      />
    );
  };
}
