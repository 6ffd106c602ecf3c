/** An event as a sentence about its actor. */
import { i18n } from "../../i18n";
import type { LabelClass, ProjectEvent } from "../../protocol/entities";
import { annotationSchema } from "../../protocol/entities";
import { ROLES } from "../../protocol/rest";

interface EventWords {
  readonly words: string;
  /** The shape it is about, when it can still be shown. */
  readonly annotationId: string | null;
  /** The words are a sentence of their own, not what the actor did. */
  readonly alone: boolean;
}

const RASTER_STATES = ["uploading", "inspecting", "preparing", "viewable", "refused"] as const;

export function eventWords(event: ProjectEvent, classes: readonly LabelClass[]): EventWords {
  const t = i18n.t.bind(i18n);
  const { kind, data } = event;
  const name = text(data, ["raster", "name"]) ?? text(data, ["class", "name"]) ?? text(data, ["label_class", "name"]);
  if (kind.startsWith("annotation.")) return annotationWords(event, classes);
  const member = text(data, ["member", "user", "display_name"]) ?? text(data, ["user", "display_name"]);
  const asked = text(data, ["member", "role"]) ?? text(data, ["role"]);
  const role = ROLES.find((one) => one === asked);
  const roleWord = role === undefined ? "" : t(`role.${role}`);
  switch (kind) {
    case "raster.created":
      return plain(t("activity.words.raster_created", { name: name ?? "" }));
    case "raster.changed": {
      const state = RASTER_STATES.find((one) => one === text(data, ["raster", "state"]));
      if (state === undefined) return plain(t("activity.words.raster_changed", { name: name ?? "" }));
      const words = t("activity.words.raster_state", { name: name ?? "", state: t(`raster.stateWord.${state}`) });
      return { words, annotationId: null, alone: true };
    }
    case "raster.deleted":
      return plain(t("activity.words.raster_deleted"));
    case "class.created":
      return plain(t("activity.words.class_created", { name: name ?? "" }));
    case "class.changed":
      return plain(t("activity.words.class_changed", { name: name ?? "" }));
    case "class.deleted":
      return plain(t("activity.words.class_deleted"));
    case "member.joined":
      return plain(t("activity.words.member_joined", { role: roleWord }));
    case "member.changed":
      return plain(t("activity.words.member_changed", { name: member ?? "", role: roleWord }));
    case "member.left": {
      const own = text(data, ["user", "id"]) === event.actor?.id;
      return plain(t(own ? "activity.words.member_left" : "activity.words.member_removed"));
    }
    case "project.changed":
      return plain(t("activity.words.project_changed"));
    default:
      return plain(t("activity.words.other", { kind }));
  }
}

/** Whether two times fall on one calendar day here. */
export function sameDay(one: string, other: string): boolean {
  return new Date(one).toDateString() === new Date(other).toDateString();
}

function annotationWords(event: ProjectEvent, classes: readonly LabelClass[]): EventWords {
  const t = i18n.t.bind(i18n);
  const parsed = annotationSchema.safeParse(event.data["annotation"]);
  const annotation = parsed.data;
  const className = classes.find((one) => one.id === annotation?.label_class)?.name;
  const shape = className === undefined ? t("activity.shapeOfGone") : t("activity.shape", { name: className });
  const annotationId = annotation === undefined || annotation.deleted ? null : annotation.id;
  const say = (words: string): EventWords => ({ words, annotationId, alone: false });
  switch (event.kind) {
    case "annotation.created":
      return say(
        annotation?.provenance.kind === "suggested"
          ? t("activity.words.annotation_suggested", { shape })
          : t("activity.words.annotation_created", { shape }),
      );
    case "annotation.updated":
      return say(t("activity.words.annotation_updated", { shape }));
    case "annotation.deleted":
      return say(t("activity.words.annotation_deleted", { shape }));
    case "annotation.restored":
      return say(t("activity.words.annotation_restored", { shape }));
    case "annotation.status_changed":
      return say(
        annotation === undefined
          ? t("activity.words.annotation_updated", { shape })
          : t(`activity.words.status_${annotation.status}`, { shape }),
      );
    default:
      return say(t("activity.words.other", { kind: event.kind }));
  }
}

function plain(words: string): EventWords {
  return { words, annotationId: null, alone: false };
}

function text(data: unknown, path: readonly string[]): string | null {
  let at: unknown = data;
  for (const step of path) {
    if (typeof at !== "object" || at === null) return null;
    at = (at as Record<string, unknown>)[step];
  }
  return typeof at === "string" ? at : null;
}
