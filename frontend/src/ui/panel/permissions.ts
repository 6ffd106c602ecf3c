/** What a member may do with a shape, as the wire page's table says; the server has the last word. */
import type { Annotation } from "../../protocol/entities";
import type { Role } from "../../protocol/rest";

export interface Permissions {
  readonly edit: boolean;
  readonly submit: boolean;
  readonly accept: boolean;
  readonly giveBack: boolean;
  readonly takeBack: boolean;
  /** A reviewer looks at own submitted work, which somebody else must accept. */
  readonly ownReview: boolean;
}

export function permissions(
  annotation: Pick<Annotation, "author" | "status">,
  userId: string,
  role: Role,
): Permissions {
  const { status } = annotation;
  const own = annotation.author?.id === userId;
  const reviews = role === "reviewer" || role === "owner";
  const works = reviews || role === "annotator";
  return {
    edit: reviews || (works && status !== "accepted" && (own || status === "draft")),
    submit: (status === "draft" || status === "changes_requested") && (reviews || (works && own)),
    accept: status === "submitted" && reviews && !own,
    giveBack: (status === "submitted" || status === "accepted") && reviews,
    takeBack: status === "submitted" && own && works,
    ownReview: status === "submitted" && reviews && own,
  };
}
