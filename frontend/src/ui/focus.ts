/** Gives the keys back to the map: controls that were used let go of the focus. */

export function releaseKeys(): void {
  const focused = document.activeElement;
  if (focused instanceof HTMLElement) focused.blur();
}
