/** An address that leads nowhere. */
import { Button, Center } from "@mantine/core";
import { IconMapOff } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { EmptyState } from "../parts/EmptyState";

export function NotFoundPage() {
  const { t } = useTranslation();
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
