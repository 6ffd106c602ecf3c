/** The map itself: draws the store, hands pointers to the tools. The only room that knows OpenLayers. */
import Feature from "ol/Feature";
import OlMap from "ol/Map";
import View from "ol/View";
import { boundingExtent, buffer, isEmpty } from "ol/extent";
import type Geometry from "ol/geom/Geometry";
import Polygon from "ol/geom/Polygon";
import TileLayer from "ol/layer/Tile";
import VectorLayer from "ol/layer/Vector";
import { getPointResolution } from "ol/proj";
import VectorSource from "ol/source/Vector";
import XYZ from "ol/source/XYZ";
import type { Session } from "../commands/session";
import type { Annotation } from "../protocol/entities";
import type { State } from "../store/state";
import type { MapPort } from "../tools/tool";
import { Toolbox } from "../tools/toolbox";
import { awaited, drawDraft, drawPresence, drawSketch } from "./overlays";
import { ToolInteraction, listenToSecondary, mapInteractions, whenPointerLeaves } from "./pointer";
import { lonLatBbox, lonLatFromMap, mapExtent, mapFromLonLat, mapGeometry } from "./projection";
import { annotationStyle, windowStyle } from "./styles";

const MAX_ZOOM = 26;
const HIT_PX = 4;
const FIT_PADDING = [60, 60, 60, 60];
const TICK_MS = 80;

export class MapEngine implements MapPort {
  readonly toolbox: Toolbox;
  private readonly map: OlMap;
  private readonly interaction: ToolInteraction;
  private readonly rasters = new Map<string, { key: string; layer: TileLayer<XYZ> }>();
  private readonly shapes = new VectorSource();
  private readonly windows = new VectorSource();
  private readonly draft = new VectorSource();
  private readonly sketch = new VectorSource();
  private readonly people = new VectorSource();
  private readonly features = new Map<string, { from: Annotation; feature: Feature }>();
  private drawn: State | null = null;
  private overShape = false;
  private waiting: readonly [number, number, number, number] | null = null;
  private readonly ends: (() => void)[] = [];

  constructor(private readonly session: Session) {
    const { store } = session;
    this.toolbox = new Toolbox(session.context, this);
    this.interaction = new ToolInteraction(this.toolbox);
    this.map = new OlMap({
      moveTolerance: 3,
      controls: [],
      interactions: mapInteractions().extend([this.interaction]),
      view: new View({ center: [0, 0], zoom: 2, maxZoom: MAX_ZOOM, constrainResolution: false }),
      layers: [
        new VectorLayer({ source: this.windows, zIndex: 500 }),
        new VectorLayer({
          source: this.shapes,
          zIndex: 600,
          updateWhileAnimating: true,
          updateWhileInteracting: true,
          style: (feature, resolution) => this.styleOf(feature as Feature, resolution),
        }),
        new VectorLayer({ source: this.people, zIndex: 700 }),
        new VectorLayer({ source: this.draft, zIndex: 800, updateWhileInteracting: true }),
        new VectorLayer({ source: this.sketch, zIndex: 900, updateWhileInteracting: true }),
      ],
    });
    this.ends.push(
      store.subscribe(() => this.draw()),
      listenToSecondary(this.map, this.toolbox),
      whenPointerLeaves(this.map, () => this.tellPointer(null)),
      this.tick(),
    );
    this.map.on("pointermove", (event) => {
      this.tellPointer(lonLatFromMap(event.coordinate));
      if (!event.dragging && this.session.store.get().tool === "select") {
        this.overShape = this.shapes.getFeaturesAtCoordinate(event.coordinate).length > 0;
        this.showCursor();
      }
    });
    this.map.on("moveend", () => this.tellView());
    this.draw();
  }

  /** Shows the map in an element, until the returned function is called. */
  attach(target: HTMLElement): () => void {
    this.map.setTarget(target);
    const sizes = new ResizeObserver(() => {
      this.map.updateSize();
      this.fitWaiting();
    });
    sizes.observe(target);
    const { zoom } = this.session.store.get();
    if (zoom !== null) this.fit(zoom.bbox);
    return () => {
      sizes.disconnect();
      this.map.setTarget(undefined);
    };
  }

  end(): void {
    for (const end of this.ends) end();
    this.map.setTarget(undefined);
  }

  /** Space pans while it is held. */
  setPanning(panning: boolean): void {
    this.interaction.panning = panning;
    this.showCursor();
  }

  /** Shift was pressed or let go: the tool hears of it though the pointer stands still. */
  setShift(shift: boolean): void {
    this.interaction.again({ shift });
  }

  toScreen(lonlat: readonly [number, number]): { x: number; y: number } {
    // OpenLayers says null before the first frame, its types do not.
    const pixel = this.map.getPixelFromCoordinate(mapFromLonLat(lonlat)) as number[] | null;
    const [x = -1e6, y = -1e6] = pixel ?? [];
    return { x, y };
  }

  toLonLat(point: { readonly x: number; readonly y: number }): readonly [number, number] {
    return lonLatFromMap(this.map.getCoordinateFromPixel([point.x, point.y]));
  }

  /** The smallest of the shapes at this place: what lies in another one can be picked. */
  annotationAt(point: { readonly x: number; readonly y: number }): string | null {
    const coordinate = this.map.getCoordinateFromPixel([point.x, point.y]) as number[] | null;
    const resolution = this.map.getView().getResolution();
    if (coordinate === null || resolution === undefined) return null;
    let best: string | null = null;
    let least = Infinity;
    const reach = HIT_PX * resolution;
    this.shapes.forEachFeatureInExtent(buffer(boundingExtent([coordinate]), reach), (feature) => {
      const id = String(feature.getId());
      const area = this.features.get(id)?.from.area_m2 ?? 0;
      if (area >= least || !near(feature.getGeometry(), coordinate, reach)) return;
      best = id;
      least = area;
    });
    return best;
  }

  private draw(): void {
    const state = this.session.store.get();
    const old = this.drawn;
    this.drawn = state;
    if (state.rasters !== old?.rasters || state.layers !== old.layers) this.drawRasters(state);
    if (state.windows !== old?.windows || state.activeRaster !== old.activeRaster) this.drawWindows(state);
    if (state.activeRaster !== old?.activeRaster && state.activeRaster !== null) {
      this.session.loadWindows(state.activeRaster);
    }
    if (state.annotations !== old?.annotations || state.classes !== old.classes) this.drawShapes(state);
    if (state.selected !== old?.selected || state.editing?.id !== old.editing?.id) this.shapes.changed();
    if (state.draft !== old?.draft || state.preview !== old.preview || state.outlined !== old.outlined) {
      drawDraft(this.draft, state, Date.now());
    }
    if (
      state.sketch !== old?.sketch ||
      state.editing !== old.editing ||
      state.selected !== old.selected ||
      state.tool !== old.tool ||
      state.annotations !== old.annotations
    ) {
      drawSketch(this.sketch, state);
    }
    if (state.presence !== old?.presence || state.annotations !== old.annotations) drawPresence(this.people, state);
    if (state.tool !== old?.tool) this.showCursor();
    if (state.editing !== old?.editing || state.selected !== old.selected) this.session.tellPresence();
    if (state.zoom !== null && state.zoom !== old?.zoom) this.fit(state.zoom.bbox);
  }

  private drawRasters(state: State): void {
    const wanted = new Set<string>();
    state.layers.forEach((setting, index) => {
      const raster = state.rasters.find((one) => one.id === setting.id);
      if (raster === undefined || raster.tiles === null) return;
      wanted.add(raster.id);
      let known = this.rasters.get(raster.id);
      if (known?.key !== raster.tiles) {
        if (known !== undefined) this.map.removeLayer(known.layer);
        const source = new XYZ({
          url: raster.tiles,
          minZoom: raster.minzoom ?? 0,
          maxZoom: raster.maxzoom ?? 22,
          transition: 120,
        });
        const layer = new TileLayer<XYZ>({
          source,
          ...(raster.bbox === null ? {} : { extent: mapExtent(raster.bbox) }),
        });
        known = { key: raster.tiles, layer };
        this.rasters.set(raster.id, known);
        this.map.addLayer(layer);
      }
      known.layer.setVisible(setting.visible);
      known.layer.setOpacity(setting.opacity);
      known.layer.setZIndex(state.layers.length - index);
    });
    for (const [id, { layer }] of this.rasters) {
      if (wanted.has(id)) continue;
      this.map.removeLayer(layer);
      this.rasters.delete(id);
    }
  }

  private drawWindows(state: State): void {
    this.windows.clear(true);
    const { windows } = state;
    if (windows === null || windows.raster !== state.activeRaster) return;
    for (const window of windows.list) {
      const style = windowStyle(window.state);
      if (style === undefined) continue;
      const feature = new Feature(new Polygon([window.outline.map(mapFromLonLat)]));
      feature.setStyle(style);
      this.windows.addFeature(feature);
    }
  }

  /** Only what changed is touched: thousands of shapes stay as they are. */
  private drawShapes(state: State): void {
    const fresh: Feature[] = [];
    for (const [id, annotation] of state.annotations) {
      const known = this.features.get(id);
      if (known?.from === annotation) continue;
      if (known === undefined) {
        const feature = new Feature(mapGeometry(annotation.geometry));
        feature.setId(id);
        this.features.set(id, { from: annotation, feature });
        fresh.push(feature);
      } else {
        if (known.from.geometry !== annotation.geometry) known.feature.setGeometry(mapGeometry(annotation.geometry));
        this.features.set(id, { from: annotation, feature: known.feature });
        known.feature.changed();
      }
    }
    if (fresh.length > 0) this.shapes.addFeatures(fresh);
    for (const [id, { feature }] of this.features) {
      if (state.annotations.has(id)) continue;
      this.shapes.removeFeature(feature);
      this.features.delete(id);
    }
  }

  private styleOf(feature: Feature, resolution: number) {
    const state = this.session.store.get();
    const id = String(feature.getId());
    const annotation = state.annotations.get(id);
    if (annotation === undefined || state.editing?.id === id) return undefined;
    const extent = feature.getGeometry()?.getExtent() ?? [0, 0, 0, 0];
    const [west = 0, south = 0, east = 0, north = 0] = extent;
    return annotationStyle({
      colour: state.classes.find((one) => one.id === annotation.label_class)?.colour ?? "#868e96",
      status: annotation.status,
      selected: state.selected === id,
      sizePx:
        (annotation.geometry.type.endsWith("Polygon") ? Math.min : Math.max)(east - west, north - south) / resolution,
    });
  }

  private fit(bbox: readonly [number, number, number, number]): void {
    this.waiting = bbox;
    this.map.updateSize();
    this.fitWaiting();
  }

  /** A map that is hidden has no size to fit anything into: it waits until it is shown. */
  private fitWaiting(): void {
    const [width = 0, height = 0] = this.map.getSize() ?? [];
    const bbox = this.waiting;
    if (bbox === null || width === 0 || height === 0) return;
    this.waiting = null;
    const extent = mapExtent(bbox);
    if (isEmpty(extent)) return;
    const reduced = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.map.getView().cancelAnimations();
    this.map.getView().fit(extent, { padding: FIT_PADDING, maxZoom: MAX_ZOOM - 2, duration: reduced ? 0 : 160 });
  }

  private tellPointer(cursor: readonly [number, number] | null): void {
    const { facts } = this.session.store.get();
    if (facts !== null && cursor !== facts.cursor) this.session.store.set({ facts: { ...facts, cursor } });
    this.session.tellPresence();
  }

  private tellView(): void {
    const view = this.map.getView();
    const centre = view.getCenter();
    const resolution = view.getResolution();
    if (centre === undefined || resolution === undefined) return;
    this.session.store.set({
      facts: {
        cursor: this.session.store.get().facts?.cursor ?? null,
        zoom: view.getZoom() ?? 0,
        metresPerPixel: getPointResolution("EPSG:3857", resolution, centre),
        extent: lonLatBbox(view.calculateExtent(this.map.getSize())),
      },
    });
  }

  private showCursor(): void {
    const viewport: HTMLElement | undefined = this.map.getViewport();
    if (viewport === undefined) return;
    const over = this.overShape && this.session.store.get().tool === "select" ? "pointer" : this.toolbox.active.cursor;
    viewport.style.cursor = this.interaction.panning ? "grab" : over;
  }

  /** While an answer, or more of it, is on its way the point pulses; while a window is encoded seconds count down. */
  private tick(): () => void {
    const timer = setInterval(() => {
      const state = this.session.store.get();
      if (state.draft !== null && awaited(state.draft)) drawDraft(this.draft, state, Date.now());
    }, TICK_MS);
    return () => clearInterval(timer);
  }
}

function near(geometry: Geometry | undefined, coordinate: number[], reach: number): boolean {
  if (geometry === undefined) return false;
  if (geometry.intersectsCoordinate(coordinate)) return true;
  const [x = Infinity, y = Infinity] = geometry.getClosestPoint(coordinate);
  return Math.hypot(x - (coordinate[0] ?? 0), y - (coordinate[1] ?? 0)) <= reach;
}
