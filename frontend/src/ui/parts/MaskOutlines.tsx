/** A mask's plain outline, and over it the shape that a recipe made of it. */
import type { Geometry, OutlinePreview } from "../../protocol/entities";
import classes from "./MaskOutlines.module.css";
import { fitted, type Frame } from "./outline";

interface MaskOutlinesProps {
  readonly preview: OutlinePreview | null;
  readonly colour: string;
  readonly size: number;
}

export function MaskOutlines({ preview, colour, size }: MaskOutlinesProps) {
  const frame = preview === null ? null : fitted(preview.before.geometry, size);
  return (
    <svg className={classes["view"]} width={size} height={size} viewBox={`0 0 ${size} ${size}`} aria-hidden>
      {preview !== null && frame !== null && (
        <>
          <path className={classes["before"]} d={frame.path(preview.before.geometry)} />
          <After geometry={preview.after.geometry} frame={frame} colour={colour} />
        </>
      )}
    </svg>
  );
}

interface AfterProps {
  readonly geometry: Geometry;
  readonly frame: Frame;
  readonly colour: string;
}

function After({ geometry, frame, colour }: AfterProps) {
  const isLine = geometry.type.endsWith("LineString");
  return (
    <>
      <path
        d={frame.path(geometry)}
        fill={isLine ? "none" : colour}
        fillOpacity={0.25}
        fillRule="evenodd"
        stroke={colour}
        strokeWidth={isLine ? 2.5 : 1.5}
        strokeLinejoin="round"
      />
      {frame.corners(geometry).map(([x, y], index) => (
        <circle key={index} cx={x} cy={y} r={1.8} fill={colour} />
      ))}
    </>
  );
}
