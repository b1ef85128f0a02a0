/** Whose request goes next where one may be under way at a time: writes first, then one of each user of the line in turn. */

export interface RequestOptions {
  /** Whoever shares the line fairly with the others. */
  readonly owner: object;
  /** Ahead of everything that is not. */
  readonly urgent?: boolean;
  readonly signal: AbortSignal;
}

interface Entry extends RequestOptions {
  run(): Promise<void>;
  refuse(reason: unknown): void;
}

export class RequestQueue {
  readonly #urgent = new Set<Entry>();
  /** What waits, by owner; the owner that comes first is served next and goes to the end. */
  readonly #waiting = new Map<object, Set<Entry>>();
  /** One listener for each signal, however many wait under it. */
  readonly #watched = new Map<AbortSignal, { readonly entries: Set<Entry>; readonly onAbort: () => void }>();
  #busy = false;

  /**
   * Settles as `work` does, which begins when its turn has come. Rejects with the signal's reason when it aborts before
   * that, and with that of `leave`; then `work` is never called.
   */
  take<T>(work: () => Promise<T>, options: RequestOptions): Promise<T> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      this.#wait({ ...options, run: () => work().then(resolve, reject), refuse: reject });
      if (!this.#busy) void this.#serve();
    });
  }

  /** Rejects all that waits for this owner; what is under way goes on. */
  leave(owner: object, reason: unknown): void {
    const urgent = [...this.#urgent].filter((entry) => entry.owner === owner);
    this.#refuse([...(this.#waiting.get(owner) ?? []), ...urgent], reason);
  }

  #wait(entry: Entry): void {
    const { owner, signal, urgent } = entry;
    if (urgent) this.#urgent.add(entry);
    else {
      const line = this.#waiting.get(owner) ?? new Set();
      this.#waiting.set(owner, line.add(entry));
    }
    const watched = this.#watched.get(signal);
    if (watched) watched.entries.add(entry);
    else this.#watch(entry);
  }

  #watch(entry: Entry): void {
    const { signal } = entry;
    const entries = new Set([entry]);
    const onAbort = (): void => this.#refuse([...entries], signal.reason);
    this.#watched.set(signal, { entries, onAbort });
    signal.addEventListener('abort', onAbort, { once: true });
  }

  #refuse(entries: readonly Entry[], reason: unknown): void {
    for (const entry of entries) {
      this.#forget(entry);
      entry.refuse(reason);
    }
  }

  #forget(entry: Entry): void {
    const { owner, signal } = entry;
    this.#urgent.delete(entry);
    const line = this.#waiting.get(owner);
    if (line?.delete(entry) && line.size === 0) this.#waiting.delete(owner);
    const watched = this.#watched.get(signal);
    if (!watched?.entries.delete(entry) || watched.entries.size > 0) return;
    signal.removeEventListener('abort', watched.onAbort);
    this.#watched.delete(signal);
  }

  /** Never rejects: whoever waits has the error. */
  async #serve(): Promise<void> {
    this.#busy = true;
    for (let next = this.#next(); next; next = this.#next()) await next.run();
    this.#busy = false;
  }

  #next(): Entry | undefined {
    const [line] = this.#waiting.values();
    const [entry] = this.#urgent.size > 0 ? this.#urgent : (line ?? []);
    if (!entry) return undefined;
    this.#forget(entry);
    if (entry.urgent !== true) this.#toTheEnd(entry.owner);
    return entry;
  }

  #toTheEnd(owner: object): void {
    const line = this.#waiting.get(owner);
    if (!line) return;
    this.#waiting.delete(owner);
    this.#waiting.set(owner, line);
  }
}
