/** Review status as a shape and a colour, so that it reads without colour vision. */
import { Group, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { AnnotationStatus } from "../../protocol/entities";
import classes from "./StatusMark.module.css";

export const STATUSES: readonly AnnotationStatus[] = ["draft", "submitted", "accepted", "changes_requested"];

export function StatusMark({ status }: { readonly status: AnnotationStatus }) {
  return (
    <svg className={classes["mark"]} data-status={status} viewBox="0 0 12 12" width={12} height={12} aria-hidden>
      {status === "changes_requested" ? (
        <path d="M6 1 11.3 10.5H.7Z" fill="currentColor" />
      ) : (
        <>
          <circle cx="6" cy="6" r="4.6" fill="none" stroke="currentColor" strokeWidth="1.6" />
          {status === "submitted" && <path d="M6 1.4a4.6 4.6 0 0 1 0 9.2Z" fill="currentColor" />}
          {status === "accepted" && <circle cx="6" cy="6" r="4.6" fill="currentColor" />}
        </>
      )}
    </svg>
  );
}

export function StatusLabel({ status }: { readonly status: AnnotationStatus }) {
  const { t } = useTranslation();
  return (
    <Group gap={6} wrap="nowrap" component="span">
      <StatusMark status={status} />
      <Text span>{t(`status.${status}`)}</Text>
    </Group>
  );
}
