/** Keeps a queue in the browser's storage, one entry for each thing, so that two pages do not overwrite each other. */
export type ShelfStorage = Pick<Storage, "length" | "key" | "getItem" | "setItem" | "removeItem">;

interface Kept<T> {
  readonly at: number;
  readonly value: T;
}

export class Shelf<T extends { readonly id: string }> {
  private kept = new Map<string, Kept<T>>();

  constructor(
    private readonly storage: ShelfStorage,
    private readonly key: string,
  ) {}

  /** All that lies there, in the order in which it was put there by any page. */
  read(): readonly T[] {
    const found: Kept<T>[] = [];
    for (let index = 0; index < this.storage.length; index += 1) {
      const name = this.storage.key(index);
      const text = name?.startsWith(`${this.key}/`) === true ? this.storage.getItem(name) : null;
      if (text !== null) found.push(JSON.parse(text) as Kept<T>);
    }
    found.sort((a, b) => a.at - b.at);
    this.kept = new Map(found.map((one) => [one.value.id, one]));
    return found.map((one) => one.value);
  }

  /** Makes the entries of this page those of the queue, and touches no others. */
  write(queue: readonly T[]): void {
    const next = new Map<string, Kept<T>>();
    let before = 0;
    queue.forEach((value, index) => {
      const known = this.kept.get(value.id);
      const at = known?.at ?? this.placeBetween(before, queue.slice(index + 1));
      const one = known?.value === value ? known : { at, value };
      if (one !== known) this.put(one);
      next.set(value.id, one);
      before = at;
    });
    for (const id of this.kept.keys()) if (!next.has(id)) this.storage.removeItem(`${this.key}/${id}`);
    this.kept = next;
  }

  /** At the end the time, else between its neighbours. */
  private placeBetween(before: number, later: readonly T[]): number {
    const after = later.map(({ id }) => this.kept.get(id)?.at).find((at) => at !== undefined);
    return after === undefined ? Math.max(Date.now(), before + 1) : (before + after) / 2;
  }

  private put(one: Kept<T>): void {
    try {
      this.storage.setItem(`${this.key}/${one.value.id}`, JSON.stringify(one));
    } catch (reason) {
      // The browser's storage is full or forbidden: the change is still sent, it only would not outlive this page.
      if (!(reason instanceof DOMException)) throw reason;
    }
  }
}
