/** A shape's outline, fitted into a small square. */
import type { Geometry } from "../../protocol/entities";
import { outline } from "./outline";

interface ShapeIconProps {
  readonly geometry: Geometry;
  readonly colour: string;
  readonly size?: number;
}

export function ShapeIcon({ geometry, colour, size = 36 }: ShapeIconProps) {
  const { path, point } = outline(geometry, size);
  return (
    <svg width={size} height={size} viewBox={`0 0 ${size} ${size}`} aria-hidden>
      {point === null ? (
        <path
          d={path}
          fill={geometry.type.endsWith("LineString") ? "none" : colour}
          fillOpacity={0.35}
          fillRule="evenodd"
          stroke={colour}
          strokeWidth={1.5}
          strokeLinejoin="round"
        />
      ) : (
        <circle cx={point[0]} cy={point[1]} r={4} fill={colour} />
      )}
    </svg>
  );
}
