/** Length and area of what is being measured or drawn by hand, while the pointer moves. */
import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { areaOf, lengthOf } from "../../geo/measure";
import { formatArea, formatLength } from "../format";
import { useSketch, useTool } from "../project";
import classes from "./DraftBar.module.css";

export function MeasureBar() {
  const { t } = useTranslation();
  const sketch = useSketch();
  const tool = useTool();
  if (sketch === null || tool === "click" || tool === "box") return null;
  const points = sketch.pointer === null ? sketch.points : [...sketch.points, sketch.pointer];
  if (points.length < 2) return null;
  const closed = (sketch.kind === "polygon" || sketch.done === "closed") && points.length > 2;
  return (
    <div className={classes["bar"]} role="status" aria-label={t("measure.title")} data-testid="measure-bar">
      <Figure
        name={t(closed ? "measure.perimeter" : "measure.length")}
        value={formatLength(lengthOf(points, closed))}
      />
      {closed && <Figure name={t("measure.area")} value={formatArea(areaOf(points))} />}
    </div>
  );
}

function Figure({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <Text span size="sm" px={8} style={{ fontVariantNumeric: "tabular-nums" }}>
      <Text span c="dimmed" size="xs" mr={6}>
        {name}
      </Text>
      {value}
    </Text>
  );
}
