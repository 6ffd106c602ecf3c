/** Says that the connection is gone, that work is kept, and when it is back. */
import { Button, Text } from "@mantine/core";
import { IconPlugConnectedX } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useConnection, useSaveState } from "../project";
import classes from "./ConnectionBanner.module.css";

/** Shorter interruptions are not worth a word. */
const PATIENCE_MS = 1500;

export function ConnectionBanner() {
  const { t } = useTranslation();
  const connection = useConnection();
  const { waiting } = useSaveState();
  const lost = connection === "lost";
  const [long, setLong] = useState(false);
  useEffect(() => {
    if (!lost) return undefined;
    const timer = setTimeout(() => setLong(true), PATIENCE_MS);
    return () => {
      clearTimeout(timer);
      setLong(false);
    };
  }, [lost]);
  if (connection === "refused") {
    return (
      <div className={classes["banner"]} role="alert" data-testid="connection-refused">
        <Text size="sm">{t("connection.refused")}</Text>
        <Button size="compact-xs" variant="default" component="a" href="/">
          {t("nav.projects")}
        </Button>
      </div>
    );
  }
  if (!lost || !long) return null;
  return (
    <div className={classes["banner"]} role="status" data-testid="connection-lost">
      <IconPlugConnectedX size={16} />
      <Text size="sm">{waiting > 0 ? t("connection.lostWaiting", { count: waiting }) : t("connection.lost")}</Text>
    </div>
  );
}
