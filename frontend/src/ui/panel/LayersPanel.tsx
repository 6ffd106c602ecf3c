/** The rasters on the map: which are shown, how strongly, in which order. */
import { ActionIcon, Group, Slider, Text, Tooltip } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconEye, IconEyeOff, IconZoomScan } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { useActions, useLayers } from "../project";
import classes from "./LayersPanel.module.css";

export function LayersPanel() {
  const { t } = useTranslation();
  const layers = useLayers();
  const actions = useActions();
  if (layers.length === 0) return <Text c="dimmed">{t("layers.empty")}</Text>;
  return (
    <ul className={classes["list"]} data-testid="layer-list">
      {layers.map((layer, index) => (
        <li key={layer.raster.id} className={classes["row"]} data-testid={`layer-${layer.raster.id}`}>
          <Group gap={2} wrap="nowrap">
            <Tooltip label={t(layer.visible ? "layers.hide" : "layers.show")}>
              <ActionIcon
                size={26}
                aria-pressed={layer.visible}
                aria-label={t(layer.visible ? "layers.hideNamed" : "layers.showNamed", { name: layer.raster.name })}
                onClick={() => actions.setLayerVisible(layer.raster.id, !layer.visible)}
              >
                {layer.visible ? <IconEye size={16} /> : <IconEyeOff size={16} />}
              </ActionIcon>
            </Tooltip>
            <Text flex={1} truncate title={layer.raster.name} c={layer.visible ? undefined : "dimmed"}>
              {layer.raster.name}
            </Text>
            <ActionIcon
              size={26}
              disabled={index === 0}
              aria-label={t("layers.up", { name: layer.raster.name })}
              onClick={() => actions.moveLayer(layer.raster.id, -1)}
              variant="transparent"
            >
              <IconArrowUp size={16} />
            </ActionIcon>
            <ActionIcon
              size={26}
              disabled={index === layers.length - 1}
              aria-label={t("layers.down", { name: layer.raster.name })}
              onClick={() => actions.moveLayer(layer.raster.id, 1)}
              variant="transparent"
            >
              <IconArrowDown size={16} />
            </ActionIcon>
            <Tooltip label={t("layers.zoom")}>
              <ActionIcon
                size={26}
                aria-label={t("layers.zoomNamed", { name: layer.raster.name })}
                onClick={() => actions.zoomToRaster(layer.raster.id)}
                data-testid="layer-zoom"
              >
                <IconZoomScan size={16} />
              </ActionIcon>
            </Tooltip>
          </Group>
          <Slider
            size="xs"
            min={0}
            max={100}
            value={Math.round(layer.opacity * 100)}
            disabled={!layer.visible}
            label={(value) => `${value} %`}
            thumbLabel={t("layers.opacity", { name: layer.raster.name })}
            onChange={(value) => actions.setLayerOpacity(layer.raster.id, value / 100)}
            mx={8}
          />
        </li>
      ))}
    </ul>
  );
}
