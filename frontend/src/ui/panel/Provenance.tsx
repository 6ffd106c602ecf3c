/** Where a shape came from: drawn or suggested, by which model, from how many clicks. */
import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Annotation } from "../../protocol/entities";
import { formatDuration } from "../format";
import classes from "./SelectedPanel.module.css";

export function Provenance({ provenance }: { readonly provenance: Annotation["provenance"] }) {
  const { t } = useTranslation();
  const { kind, score, model, prompts, windows, thought_ms: thought } = provenance;
  if (kind !== "suggested") return <Text c="dimmed">{t(`provenance.${kind}`)}</Text>;
  return (
    <dl className={classes["facts"]} data-testid="provenance">
      <dt>{t("provenance.from")}</dt>
      <dd>{t(provenance.edited === true ? "provenance.suggestedEdited" : "provenance.suggested")}</dd>
      {score !== null && score !== undefined && (
        <>
          <dt>{t("provenance.score")}</dt>
          <dd>{t("provenance.percent", { n: Math.round(score * 100) })}</dd>
        </>
      )}
      {prompts !== null && prompts !== undefined && (
        <>
          <dt>{t("provenance.clicks")}</dt>
          <dd>{prompts.length}</dd>
        </>
      )}
      {windows !== null && windows !== undefined && windows.length > 1 && (
        <>
          <dt>{t("provenance.windows")}</dt>
          <dd>{t("provenance.windowCount", { n: windows.length })}</dd>
        </>
      )}
      {thought !== null && thought !== undefined && (
        <>
          <dt>{t("provenance.thought")}</dt>
          <dd>{formatDuration(thought / 1000)}</dd>
        </>
      )}
      {model !== null && model !== undefined && (
        <>
          <dt>{t("provenance.model")}</dt>
          <dd title={model}>{model}</dd>
        </>
      )}
    </dl>
  );
}
