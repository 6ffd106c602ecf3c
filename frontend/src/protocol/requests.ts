/** Bodies that panels send. */
import type { LabelClass, Raster } from "./entities";

export interface ClassForm {
  readonly name: string;
  readonly colour: string;
  readonly digit: number | null;
  readonly geometry_type: LabelClass["geometry_type"];
  readonly recipe: LabelClass["recipe"];
  readonly shared_border_m: number | null;
  readonly order?: number;
  readonly attributes: readonly LabelClass["attributes"][number][];
}

export interface RasterChange {
  readonly name?: string;
  readonly acquired_on?: string | null;
  readonly recipe?: NonNullable<Raster["recipe"]>;
}
