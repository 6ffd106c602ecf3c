/** Builds and wires the rooms. */
import { createRoot } from "react-dom/client";
import { App } from "./ui/App";

const MapView = () => null;
const root = document.getElementById("root");
if (root !== null) createRoot(root).render(<App MapView={MapView} />);
