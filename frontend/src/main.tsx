/** Builds and wires the rooms. */
import { createRoot } from "react-dom/client";
import { Session } from "./commands/session";
import { MapEngine } from "./map/engine";
import { listenToKeys } from "./map/keyboard";
import { mapView } from "./map/MapView";
import { App } from "./ui/App";
import { provideSession } from "./ui/project";

const session = new Session();
const engine = new MapEngine(session);
listenToKeys(engine, () => session.store.get().projectId !== null && /\/(map|review)$/.test(window.location.pathname));
provideSession(session);

// For end-to-end tests and the curious: where a place lies on the screen, and the state as it is.
Object.assign(window, {
  edgewise: { toScreen: engine.toScreen.bind(engine), state: session.store.get },
});

const root = document.getElementById("root");
if (root !== null) createRoot(root).render(<App MapView={mapView(engine)} />);
