/** Tells sources of derived tags the readings that they compute from, when apply hears of them. What they push is heard of in the next round. */
import { type Derivation, derivationFaults, type InputRef } from '../core/derivation.ts';
import { GatewayError } from '../core/errors.ts';
import type { StatusCode } from '../core/status.ts';
import type { SeriesDef, SeriesId } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import type { InputListener, InputFeed as LentFeed } from '../drivers/driver.ts';
import type { Entry, TagTable } from './tag-table.ts';

type InputValue = Parameters<InputListener['hear']>[2];

/** One input of one derived tag. */
interface Following {
  readonly input: InputRef;
  readonly place: { readonly output: number; readonly input: number };
  readonly listener: Pick<InputListener, 'hear'>;
  /** Of the newest reading that was told: series of one tag merge by time. */
  newestMs: number;
}

export class InputFeed {
  readonly #tags: Pick<TagTable, 'find' | 'entry' | 'definition'>;
  /** By (tenant, asset, tag). */
  readonly #byTag = new Map<string, Set<Following>>();
  /** By series; undefined where nobody follows. */
  readonly #bySeries: (Following[] | undefined)[] = [];
  readonly #boolean = new Set<SeriesId>();
  readonly #listeners = new Set<InputListener>();
  /** Of the sources that run, by listener. */
  readonly #derivations = new Map<InputListener, readonly Derivation[]>();

  constructor(tags: Pick<TagTable, 'find' | 'entry' | 'definition'>) {
    this.#tags = tags;
  }

  /** The feed as one source gets it. */
  of(tenant: string, source: string): LentFeed {
    return {
      follow: (outputs, listener) =>
        this.#follow(
          outputs.map((output) => ({ ...output, tenant, source })),
          listener,
        ),
      present: (outputs, listener) => {
        for (const [output, { inputs }] of outputs.entries())
          for (const [index, input] of inputs.entries()) this.#tellPresent(tenant, followingOf(input, output, index, listener));
      },
    };
  }

  /** A series was made. */
  define(series: SeriesId, def: SeriesDef): void {
    if (this.#byTag.size > 0) this.#bind(series, def);
  }

  number(series: SeriesId, timeMs: UnixMs, value: number, status: StatusCode, historical: boolean): void {
    const followings = this.#bySeries[series];
    if (followings === undefined || historical) return;
    tell(followings, timeMs, Number.isNaN(value) ? null : this.#boolean.has(series) ? value !== 0 : value, status);
  }

  integer(series: SeriesId, timeMs: UnixMs, value: bigint, _signed: boolean, status: StatusCode, historical: boolean): void {
    const followings = this.#bySeries[series];
    if (followings !== undefined && !historical) tell(followings, timeMs, Number(value), status);
  }

  text(series: SeriesId, timeMs: UnixMs, value: string, status: StatusCode, historical: boolean): void {
    const followings = this.#bySeries[series];
    if (followings !== undefined && !historical) tell(followings, timeMs, value, status);
  }

  /** All readings of the round have been told. */
  settled(): void {
    for (const listener of this.#listeners) listener.settled();
  }

  #follow(derivations: readonly Derivation[], listener: InputListener): () => void {
    const others = [...this.#derivations.values()].flat();
    const [fault] = derivationFaults([...others, ...derivations]);
    if (fault) throw new GatewayError('config_invalid', fault.message);
    this.#derivations.set(listener, derivations);
    this.#listeners.add(listener);
    const mine: (readonly [key: string, following: Following])[] = [];
    for (const [output, { tenant, inputs }] of derivations.entries()) {
      for (const [index, input] of inputs.entries()) {
        const following = followingOf(input, output, index, listener);
        const key = keyOf(tenant, input);
        mine.push([key, following]);
        this.#byTag.set(key, (this.#byTag.get(key) ?? new Set()).add(following));
        this.#rebind(tenant, input);
        this.#tellPresent(tenant, following);
      }
    }
    listener.settled();
    return () => this.#leave(listener, mine);
  }

  #leave(listener: InputListener, mine: readonly (readonly [string, Following])[]): void {
    this.#listeners.delete(listener);
    this.#derivations.delete(listener);
    const gone = new Set(mine.map(([, following]) => following));
    for (const [key, following] of mine) {
      const left = this.#byTag.get(key);
      left?.delete(following);
      if (left?.size === 0) this.#byTag.delete(key);
    }
    for (const [series, followings] of this.#bySeries.entries()) {
      if (!followings?.some((following) => gone.has(following))) continue;
      const left = followings.filter((following) => !gone.has(following));
      this.#bySeries[series] = left.length > 0 ? left : undefined;
    }
  }

  #rebind(tenant: string, { asset, tag }: InputRef): void {
    for (const series of this.#tags.find({ tenant, assets: [asset], tags: [tag] })) this.#bind(series, this.#tags.definition(series));
  }

  #bind(series: SeriesId, def: SeriesDef): void {
    const followings = [...(this.#byTag.get(keyOf(def.tenant, def)) ?? [])].filter(({ input }) => isOf(input, def));
    if (followings.length === 0) return;
    while (this.#bySeries.length <= series) this.#bySeries.push(undefined); // without holes it is read like a column
    this.#bySeries[series] = followings;
    if (def.valueType === 'bool') this.#boolean.add(series);
  }

  /** What passed the door last, in this run of the daemon or before. */
  #tellPresent(tenant: string, following: Following): void {
    const { asset, tag } = following.input;
    let newest: Entry | undefined;
    for (const series of this.#tags.find({ tenant, assets: [asset], tags: [tag] })) {
      const entry = this.#tags.entry(series);
      if (entry && isOf(following.input, entry.def) && Number.isFinite(entry.lastMs) && entry.lastMs >= (newest?.lastMs ?? entry.lastMs))
        newest = entry;
    }
    if (newest) tell([following], newest.lastMs as UnixMs, lastOf(newest), newest.lastStatus as StatusCode);
  }
}

function followingOf(input: InputRef, output: number, index: number, listener: Following['listener']): Following {
  return { input, place: { output, input: index }, listener, newestMs: Number.NEGATIVE_INFINITY };
}

/** In the order of the followers; what is older than the newest that was told is history. */
function tell(followings: readonly Following[], timeMs: UnixMs, value: InputValue, status: StatusCode): void {
  for (const following of followings) {
    if (timeMs < following.newestMs) continue;
    following.newestMs = timeMs;
    following.listener.hear(following.place, timeMs, value, status);
  }
}

function lastOf({ def, lastNumber, lastWide }: Entry): InputValue {
  if (lastWide !== undefined) return typeof lastWide === 'bigint' ? Number(lastWide) : lastWide;
  if (Number.isNaN(lastNumber)) return null;
  return def.valueType === 'bool' ? lastNumber !== 0 : lastNumber;
}

function isOf(input: InputRef, { source }: SeriesDef): boolean {
  return input.source === undefined || input.source === source;
}

function keyOf(tenant: string, { asset, tag }: InputRef): string {
  return `${tenant}\0${asset}\0${tag}`;
}
