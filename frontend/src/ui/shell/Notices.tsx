/** Shows what the store has to say once, such as a refused change. */
import { notifications } from "@mantine/notifications";
import { useEffect } from "react";
import { useNotice } from "../project";

export function Notices() {
  const notice = useNotice();
  useEffect(() => {
    if (notice !== null) notifications.show({ color: "orange", message: notice.message, autoClose: 8000 });
  }, [notice]);
  return null;
}
