/** What apply tells, gathered in columns for some milliseconds and then written once for all clients that want the same. */
import { qualityOf, type StatusCode } from '../../core/status.ts';
import type { SeriesDef, SeriesId } from '../../core/tag.ts';
import { toIso, type UnixMs } from '../../core/time.ts';
import type { Consumer } from '../../ingest/pipeline.ts';
import { renderNumber, renderScalar } from '../values.ts';
import { Channel, filterKey, type LiveFilter, withRoom } from './channel.ts';
import { liveEvent } from './event.ts';
import type { Subscriber } from './subscriber.ts';

/** 100 ms of 20,000 readings a second are half of this; a burst that fills it is written at once. */
const MAX_ROWS = 4_096;
/** An event beyond this is closed, and another one opened: what a slow client loses at once is little. */
const EVENT_CHARACTERS = 32_768;
const FIRST_CAPACITY = 1024;

export class Feed implements Consumer {
  readonly #channels = new Map<string, Channel>();
  readonly #definition: (series: SeriesId) => SeriesDef;
  readonly #onFirst: () => void;
  /** By series: 0 not asked yet, 1 wanted by a client, 2 by none; as long as the channels stay the same. */
  #wanted = new Uint8Array(FIRST_CAPACITY);
  #rows = 0;
  readonly #series = new Uint32Array(MAX_ROWS);
  readonly #timeMs = new Float64Array(MAX_ROWS);
  readonly #numbers = new Float64Array(MAX_ROWS);
  readonly #status = new Uint32Array(MAX_ROWS);
  /** Text and 64-bit integers. */
  readonly #wide: (string | bigint | undefined)[] = new Array(MAX_ROWS).fill(undefined);
  /** By series: how a reading of it begins in JSON. */
  readonly #heads = new Map<SeriesId, string>();

  /** `onFirst` is called at the first reading that has to be written: `flush` is due soon. */
  constructor(definition: (series: SeriesId) => SeriesDef, onFirst: () => void) {
    this.#definition = definition;
    this.#onFirst = onFirst;
  }

  /** From now on the subscriber gets what the filter lets through. */
  join(filter: LiveFilter, subscriber: Subscriber): Channel {
    this.flush(); // what came before is not for it
    const key = filterKey(filter);
    const known = this.#channels.get(key);
    const channel = known ?? new Channel(filter, this.#definition);
    channel.subscribers.add(subscriber);
    this.#channels.set(key, channel);
    if (!known) this.#wanted.fill(0);
    return channel;
  }

  leave(filter: LiveFilter, subscriber: Subscriber): void {
    const key = filterKey(filter);
    const channel = this.#channels.get(key);
    channel?.subscribers.delete(subscriber);
    if (channel?.subscribers.size !== 0) return;
    this.#channels.delete(key);
    this.#wanted.fill(0);
    if (this.#channels.size === 0) this.#heads.clear();
  }

  // Backfill and late readings are no news: they are in the history.

  number(series: SeriesId, timeMs: UnixMs, value: number, status: StatusCode, historical: boolean): void {
    if (historical || !this.#isWanted(series)) return;
    this.#numbers[this.#rows] = value;
    this.#take(series, timeMs, status);
  }

  integer(series: SeriesId, timeMs: UnixMs, value: bigint, _signed: boolean, status: StatusCode, historical: boolean): void {
    if (historical || !this.#isWanted(series)) return;
    this.#wide[this.#rows] = value;
    this.#take(series, timeMs, status);
  }

  text(series: SeriesId, timeMs: UnixMs, value: string, status: StatusCode, historical: boolean): void {
    if (historical || !this.#isWanted(series)) return;
    this.#wide[this.#rows] = value;
    this.#take(series, timeMs, status);
  }

  /** Writes what has been gathered. */
  flush(): void {
    const rows = this.#rows;
    if (rows === 0) return;
    const written = new Array<string | undefined>(rows);
    for (const channel of this.#channels.values()) this.#write(channel, written);
    this.#wide.fill(undefined, 0, rows);
    this.#rows = 0;
  }

  #isWanted(series: SeriesId): boolean {
    const known = this.#wanted[series];
    if (known === 1 || known === 2) return known === 1;
    let wanted = false;
    for (const channel of this.#channels.values()) wanted ||= channel.wants(series);
    this.#wanted = withRoom(this.#wanted, series);
    this.#wanted[series] = wanted ? 1 : 2;
    return wanted;
  }

  #take(series: SeriesId, timeMs: UnixMs, status: StatusCode): void {
    this.#series[this.#rows] = series;
    this.#timeMs[this.#rows] = timeMs;
    this.#status[this.#rows] = status;
    if (++this.#rows === 1) this.#onFirst();
    if (this.#rows === MAX_ROWS) this.flush();
  }

  /** `written` has the rows that another channel wanted too. */
  #write(channel: Channel, written: (string | undefined)[]): void {
    let texts: string[] = [];
    let characters = 0;
    const send = () => {
      if (texts.length > 0) channel.offer(liveEvent('telemetry', `{"data":[${texts.join(',')}]}`, texts.length));
      texts = [];
      characters = 0;
    };
    for (let row = 0; row < written.length; row++) {
      if (!channel.wants(this.#series[row] as SeriesId)) continue;
      const text = written[row] ?? this.#render(row);
      written[row] = text;
      texts.push(text);
      characters += text.length;
      if (characters >= EVENT_CHARACTERS) send();
    }
    send();
  }

  /** As a row of GET /v1/telemetry. */
  #render(row: number): string {
    const series = this.#series[row] as SeriesId;
    const status = this.#status[row] as number;
    const value = JSON.stringify(this.#value(row, series));
    return `${this.#head(series)}"timestamp":"${toIso(this.#timeMs[row] as number)}","value":${value},"quality":"${qualityOf(status)}"}`;
  }

  #value(row: number, series: SeriesId) {
    const wide = this.#wide[row];
    if (wide !== undefined) return renderScalar(wide);
    const number = this.#numbers[row] as number;
    const { valueType } = this.#definition(series);
    return valueType === 'bool' && Number.isFinite(number) ? number !== 0 : renderNumber(number, valueType);
  }

  #head(series: SeriesId): string {
    const known = this.#heads.get(series);
    if (known !== undefined) return known;
    const { asset, tag, source } = this.#definition(series);
    const fields = JSON.stringify({ asset_id: asset, tag_name: tag, data_source_id: source });
    const head = `${fields.slice(0, -1)},`;
    this.#heads.set(series, head);
    return head;
  }
}
