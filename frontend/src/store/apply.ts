/** Applies committed facts to the state. Pure, and harmless when a fact comes twice or late. */
import { z } from "zod";
import {
  annotationSchema,
  labelClassSchema,
  rasterSchema,
  type Annotation,
  type ProjectEvent,
} from "../protocol/entities";
import { memberSchema } from "../protocol/rest";
import { reconciled } from "./reconcile";
import type { State } from "./state";

const withAnnotation = z.object({ annotation: annotationSchema });
const withRaster = z.object({ raster: rasterSchema });
const withClass = z.object({ label_class: labelClassSchema });
const withMember = z.object({ member: memberSchema });
const withUser = z.object({ user: z.object({ id: z.string() }) });
const withId = z.object({ id: z.string() });

/** The state after an event; the same state when it is known already. */
export function apply(state: State, event: ProjectEvent): State {
  if (event.seq <= state.seq) return state;
  const next = { ...state, seq: event.seq };
  switch (event.kind) {
    case "annotation.created":
    case "annotation.updated":
    case "annotation.deleted":
    case "annotation.restored":
    case "annotation.status_changed":
      return confirm(next, withAnnotation.parse(event.data).annotation);
    case "raster.created":
    case "raster.changed": {
      const { raster } = withRaster.parse(event.data);
      return { ...next, rasters: put(state.rasters, raster, "first") };
    }
    case "raster.deleted":
      return withoutRaster(next, withId.parse(event.data).id);
    case "class.created":
    case "class.changed": {
      const classes = put(state.classes, withClass.parse(event.data).label_class, "last");
      return { ...next, classes: [...classes].sort((a, b) => a.order - b.order || a.name.localeCompare(b.name)) };
    }
    case "class.deleted":
      return { ...next, classes: without(state.classes, withId.parse(event.data).id) };
    case "member.joined":
    case "member.changed": {
      const { member } = withMember.parse(event.data);
      const known = state.members.some((one) => one.user.id === member.user.id);
      const members = state.members.map((one) => (one.user.id === member.user.id ? member : one));
      return { ...next, members: known ? members : [...members, member] };
    }
    case "member.left": {
      const { user } = withUser.parse(event.data);
      return { ...next, members: state.members.filter((one) => one.user.id !== user.id) };
    }
    default:
      return next;
  }
}

/** Takes an annotation as the server has it, unless a newer version is known. */
export function confirm(state: State, annotation: Annotation): State {
  const known = state.confirmed.get(annotation.id);
  if (known !== undefined && known.version >= annotation.version) return state;
  const confirmed = new Map(state.confirmed).set(annotation.id, annotation);
  const next = { ...state, confirmed };
  return { ...next, annotations: reconciled(next, [annotation.id]) };
}

/** Annotations outlive the raster they were made on. */
function withoutRaster(state: State, id: string): State {
  const confirmed = new Map(state.confirmed);
  const changed: string[] = [];
  for (const one of confirmed.values()) {
    if (one.raster !== id) continue;
    confirmed.set(one.id, { ...one, raster: null });
    changed.push(one.id);
  }
  const next = { ...state, confirmed, rasters: without(state.rasters, id) };
  return { ...next, annotations: reconciled(next, changed) };
}

function put<T extends { readonly id: string }>(list: readonly T[], one: T, where: "first" | "last"): readonly T[] {
  if (list.some((old) => old.id === one.id)) return list.map((old) => (old.id === one.id ? one : old));
  return where === "first" ? [one, ...list] : [...list, one];
}

function without<T extends { readonly id: string }>(list: readonly T[], id: string): readonly T[] {
  return list.filter((one) => one.id !== id);
}
