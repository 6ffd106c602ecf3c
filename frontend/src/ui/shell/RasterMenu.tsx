/** Which raster is worked on. */
import { Menu, Text, UnstyledButton } from "@mantine/core";
import { IconCheck, IconChevronDown, IconPhotoPlus } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { formatDate } from "../format";
import { useActiveRaster, useActions, useRasters } from "../project";
import classes from "./TopBar.module.css";

export function RasterMenu({ projectId }: { readonly projectId: string }) {
  const { t } = useTranslation();
  const rasters = useRasters().filter((raster) => raster.state === "viewable");
  const active = useActiveRaster();
  const actions = useActions();
  return (
    <Menu position="bottom-start" width={320}>
      <Menu.Target>
        <UnstyledButton className={classes["picker"]} data-testid="raster-menu-bar">
          <span>{active?.name ?? t("shell.noRaster")}</span>
          <IconChevronDown size={14} />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        {rasters.length === 0 && <Menu.Label>{t("shell.noRasterHelp")}</Menu.Label>}
        {rasters.map((raster) => (
          <Menu.Item
            key={raster.id}
            onClick={() => actions.openRaster(raster.id)}
            leftSection={raster.id === active?.id ? <IconCheck size={16} /> : <span style={{ width: 16 }} />}
            rightSection={
              raster.acquired_on !== null && (
                <Text size="xs" c="dimmed">
                  {formatDate(raster.acquired_on)}
                </Text>
              )
            }
          >
            <Text truncate>{raster.name}</Text>
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item component={Link} to={`/projects/${projectId}/data`} leftSection={<IconPhotoPlus size={16} />}>
          {t("shell.manageRasters")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
