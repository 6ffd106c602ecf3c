/** Errors as text for people, inline or as a notification. */
import { notifications } from "@mantine/notifications";
import { i18n } from "../i18n";
import { ApiError } from "../net/http";

export function errorText(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  if (error instanceof Error && error.message !== "") return error.message;
  return i18n.t("error.unknown");
}

/** Field messages of a refused form; empty for any other error. */
export function fieldErrors(error: unknown): Readonly<Record<string, string>> {
  return error instanceof ApiError ? error.fields : {};
}

export function notifyError(error: unknown): void {
  notifications.show({ color: "red", title: i18n.t("error.title"), message: errorText(error), autoClose: 8000 });
}

export function notifyDone(message: string): void {
  notifications.show({ message, autoClose: 3500 });
}
