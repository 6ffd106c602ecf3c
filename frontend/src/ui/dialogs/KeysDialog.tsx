/** All keys, behind `?`. */
import { Modal } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { KeyList } from "../parts/KeyList";

export function KeysDialog({ opened, onClose }: { readonly opened: boolean; readonly onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Modal opened={opened} onClose={onClose} title={t("nav.allKeys")} size={720}>
      <KeyList />
    </Modal>
  );
}
