/** What may be uploaded, and how uploads say how far they are. */

const RASTER = /\.(tiff?|gtiff)$/i;
const SIDECAR = /\.(tfw|tifw|wld|aux\.xml|prj)$/i;

export type FileRole = "raster" | "sidecar" | "other";

export function roleOf(filename: string): FileRole {
  if (RASTER.test(filename)) return "raster";
  if (SIDECAR.test(filename)) return "sidecar";
  return "other";
}

/** Name without folders and endings, so that `a.tif`, `a.tfw` and `a.tif.aux.xml` belong together. */
export function stemOf(filename: string): string {
  return filename
    .replace(/^.*[\\/]/, "")
    .replace(/\.aux\.xml$/i, "")
    .replace(/\.(tfw|tifw|wld|prj|tiff?|gtiff)$/i, "")
    .toLowerCase();
}

/** Sidecars by the raster file they stand beside; those without one are left over. */
export function pairFiles(files: readonly File[]): {
  readonly rasters: readonly { readonly file: File; readonly sidecars: readonly File[] }[];
  readonly looseSidecars: readonly File[];
  readonly others: readonly File[];
} {
  const of = (role: FileRole) => files.filter((file) => roleOf(file.name) === role);
  const sidecars = of("sidecar");
  const rasters = of("raster").map((file) => ({
    file,
    sidecars: sidecars.filter((side) => stemOf(side.name) === stemOf(file.name)),
  }));
  const paired = new Set(rasters.flatMap((one) => one.sidecars));
  return { rasters, looseSidecars: sidecars.filter((side) => !paired.has(side)), others: of("other") };
}

/** Bytes per second over the last samples, and what is left at that rate. */
export class Speedometer {
  private samples: { readonly at: number; readonly bytes: number }[] = [];

  constructor(private readonly span = 8000) {}

  add(bytes: number, at: number): void {
    this.samples.push({ at, bytes });
    while (this.samples.length > 2 && at - (this.samples[0]?.at ?? at) > this.span) this.samples.shift();
  }

  /** Seconds to go, or null while too little is known. */
  secondsFor(rest: number): number | null {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    if (first === undefined || last === undefined || last.at - first.at < 500) return null;
    const rate = ((last.bytes - first.bytes) * 1000) / (last.at - first.at);
    return rate > 0 ? rest / rate : null;
  }
}
