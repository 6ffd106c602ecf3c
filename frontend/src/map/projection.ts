/** Between lon/lat and the map's own Web Mercator metres; nowhere else. */
import type { Geometry as OlGeometry } from "ol/geom";
import GeoJSON from "ol/format/GeoJSON";
import { fromLonLat, toLonLat, transformExtent } from "ol/proj";
import type { Geometry } from "../geo/geometry";
import type { Bbox, LonLat } from "../geo/lonlat";

const format = new GeoJSON({ dataProjection: "EPSG:4326", featureProjection: "EPSG:3857" });

export function mapFromLonLat(lonlat: LonLat): [number, number] {
  const [x = 0, y = 0] = fromLonLat([...lonlat]);
  return [x, y];
}

export function lonLatFromMap(map: readonly number[]): LonLat {
  const [lon = 0, lat = 0] = toLonLat([...map]);
  return [lon, lat];
}

export function mapGeometry(geometry: Geometry): OlGeometry {
  const made = format.readGeometry(geometry);
  if (made === null) throw new TypeError(`no geometry in ${geometry.type}`);
  return made;
}

export function mapExtent(bbox: Bbox): number[] {
  return transformExtent([...bbox], "EPSG:4326", "EPSG:3857");
}

export function lonLatBbox(extent: readonly number[]): Bbox {
  const [west = 0, south = 0, east = 0, north = 0] = transformExtent([...extent], "EPSG:3857", "EPSG:4326");
  return [west, south, east, north];
}
