/** One change as one request, which may be said again without doing it twice. */
import { api } from "../net/api";
import type { Annotation } from "../protocol/entities";
import type { Op } from "../store/state";

export function sendOp(op: Op): Promise<Annotation> {
  const guard = { version: op.version, edit_id: op.id };
  switch (op.kind) {
    case "create": {
      const { project, raster, label_class, geometry, attributes, provenance, status } = op.value;
      const body = { project, raster, label_class, geometry, attributes, provenance, status };
      return api.annotations.put(op.annotation, body);
    }
    case "edit":
      return api.annotations.change(op.annotation, { ...guard, ...op.fields });
    case "delete":
      return api.annotations.remove(op.annotation, guard);
    case "restore":
      return api.annotations.restore(op.annotation, guard);
    case "status":
      return api.annotations.setStatus(op.annotation, { ...guard, status: op.status, comment: op.comment });
  }
}
