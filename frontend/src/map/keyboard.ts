/** The keys of the map screen; silent while somebody types or a dialog is open. */
import type { MapEngine } from "./engine";

export function listenToKeys(engine: MapEngine, active: () => boolean): () => void {
  const down = (event: KeyboardEvent) => {
    if (!active() || elsewhere(event.target) || belongsToControl(event)) return;
    if (event.key === "Shift") engine.setShift(true);
    if (event.key === " ") {
      engine.setPanning(true);
      event.preventDefault();
      return;
    }
    if (event.altKey || (event.repeat && event.key === "Enter")) return;
    const used = engine.toolbox.press({
      key: event.key,
      ctrl: event.ctrlKey || event.metaKey,
      shift: event.shiftKey,
    });
    if (used) event.preventDefault();
  };
  const up = (event: KeyboardEvent) => {
    if (event.key === " ") engine.setPanning(false);
    if (event.key === "Shift") engine.setShift(false);
  };
  // A key that is let go over another window is never heard of.
  const away = () => {
    engine.setPanning(false);
    engine.setShift(false);
  };
  window.addEventListener("keydown", down);
  window.addEventListener("keyup", up);
  window.addEventListener("blur", away);
  return () => {
    window.removeEventListener("keydown", down);
    window.removeEventListener("keyup", up);
    window.removeEventListener("blur", away);
  };
}

function elsewhere(target: EventTarget | null): boolean {
  if (document.querySelector("[role=dialog]") !== null) return true;
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.closest("input, textarea, select, [role=menu], [role=listbox]") !== null;
}

/** Enter and Space belong to a control that was reached by keyboard; one clicked with the mouse gives its focus up. */
function belongsToControl({ key, target }: KeyboardEvent): boolean {
  if (key !== "Enter" && key !== " ") return false;
  return target instanceof HTMLElement && target.closest("button, a, [role=radio], [role=slider]") !== null;
}
