/** Shows what the store has to say once, such as a refused change. */
import { notifications } from "@mantine/notifications";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useNotice } from "../project";

export function Notices() {
  const { t } = useTranslation();
  const notice = useNotice();
  useEffect(() => {
    if (notice === null) return;
    const message = "text" in notice ? t(`notice.${notice.text}`) : notice.message;
    notifications.show({ color: "orange", message, autoClose: 8000 });
  }, [notice, t]);
  return null;
}
