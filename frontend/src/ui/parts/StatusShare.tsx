/** How many shapes are in each review status, as one bar. */
import { Progress, Tooltip } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { AnnotationStatus } from "../../protocol/entities";
import { formatCount } from "../format";

const ORDER: readonly AnnotationStatus[] = ["accepted", "submitted", "changes_requested", "draft"];
const COLOUR: Record<AnnotationStatus, string> = {
  accepted: "green.6",
  submitted: "blue.6",
  changes_requested: "orange.6",
  draft: "gray.5",
};

export function StatusShare({ counts }: { readonly counts: Readonly<Record<AnnotationStatus, number>> }) {
  const { t } = useTranslation();
  const total = ORDER.reduce((sum, status) => sum + counts[status], 0);
  const words = ORDER.map((status) => `${t(`status.${status}`)}: ${formatCount(counts[status])}`).join(" · ");
  return (
    <Tooltip label={words}>
      <Progress.Root size={6} role="img" aria-label={words}>
        {total > 0 &&
          ORDER.map((status) => (
            <Progress.Section
              key={status}
              value={(100 * counts[status]) / total}
              color={COLOUR[status]}
              withAria={false}
            />
          ))}
      </Progress.Root>
    </Tooltip>
  );
}
