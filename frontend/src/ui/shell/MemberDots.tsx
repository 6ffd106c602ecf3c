/** Who is in the project right now. */
import { Group, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { PersonDot } from "../parts/PersonDot";
import { usePresence, useRasters } from "../project";
import { useUser } from "../session";
import classes from "./MemberDots.module.css";

const SHOWN = 4;

export function MemberDots() {
  const { t } = useTranslation();
  const me = useUser();
  const presence = usePresence();
  const rasters = useRasters();
  const people = [...new Map(presence.map((one) => [one.user.id, one])).values()].filter(
    (one) => one.user.id !== me.id,
  );
  if (people.length === 0) return null;
  const where = (rasterId: string | null) => rasters.find((raster) => raster.id === rasterId)?.name;
  return (
    <Group gap={0} wrap="nowrap" px={8} data-testid="members-online" aria-label={t("shell.online")} role="group">
      {people.slice(0, SHOWN).map((one) => {
        const raster = where(one.raster);
        const note =
          one.editing !== null
            ? t("shell.editing")
            : raster === undefined
              ? t("shell.here")
              : t("shell.on", { raster });
        return (
          <span key={one.user.id} className={classes["slot"]}>
            <PersonDot name={one.user.display_name} colour={one.user.colour} note={note} />
          </span>
        );
      })}
      {people.length > SHOWN && (
        <Text size="xs" c="dimmed" pl={8}>
          +{people.length - SHOWN}
        </Text>
      )}
    </Group>
  );
}
