/** Says what went wrong behind a change, in the server's words. */
import { notifications } from "@mantine/notifications";
import { useEffect } from "react";
import { useNotice } from "../project";

export function Notices() {
  const notice = useNotice();
  useEffect(() => {
    if (notice !== null) notifications.show({ message: notice.message, color: "red", autoClose: 8000 });
  }, [notice]);
  return null;
}
