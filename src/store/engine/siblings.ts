/** Which series are one tag: those of one tenant, asset and tag, from several sources or of several generations. */
import type { SeriesDef, SeriesId } from '../../core/tag.ts';

const NONE: readonly SeriesId[] = [];

export class Siblings {
  readonly #byTag = new Map<string, SeriesId[]>();
  readonly #tagOf = new Map<SeriesId, string>();
  /** By series id: its siblings, itself included; a hole for a series that is alone. */
  readonly #shared: (readonly SeriesId[] | undefined)[] = [];

  define(series: SeriesId, { tenant, asset, tag }: SeriesDef): void {
    const key = JSON.stringify([tenant, asset, tag]);
    const before = this.#tagOf.get(series);
    if (before === key) return;
    if (before !== undefined) this.#leave(series, before);
    this.#tagOf.set(series, key);
    const group = this.#byTag.get(key) ?? [];
    group.push(series);
    this.#byTag.set(key, group);
    if (group.length > 1) for (const member of group) this.#shared[member] = group;
  }

  /** True when any tag has, or had, several series. */
  get any(): boolean {
    return this.#shared.length > 0;
  }

  /** True when the order of arrival between this series and others matters. */
  isShared(series: SeriesId): boolean {
    return this.#shared[series] !== undefined;
  }

  /** The others of its tag. */
  of(series: SeriesId): readonly SeriesId[] {
    return this.#shared[series]?.filter((other) => other !== series) ?? NONE;
  }

  #leave(series: SeriesId, key: string): void {
    const group = this.#byTag.get(key) ?? [];
    group.splice(group.indexOf(series), 1);
    this.#shared[series] = undefined;
    const [last] = group;
    if (group.length === 1 && last !== undefined) this.#shared[last] = undefined;
  }
}
