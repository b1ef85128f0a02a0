/** Who hears of each reading, in order: the twins, the alert rules, those who compute from it, then whoever listens to the live stream. */
import type { StatusCode } from '../core/status.ts';
import type { SeriesId } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import type { Consumer } from '../ingest/pipeline.ts';

export class Apply implements Consumer {
  /** Set while somebody listens. */
  listener: Consumer | undefined;
  readonly #twins: Consumer;
  readonly #alerts: Consumer;
  readonly #inputs: Consumer;

  constructor(twins: Consumer, alerts: Consumer, inputs: Consumer) {
    this.#twins = twins;
    this.#alerts = alerts;
    this.#inputs = inputs;
  }

  number(series: SeriesId, timeMs: UnixMs, value: number, status: StatusCode, historical: boolean): void {
    this.#twins.number(series, timeMs, value, status, historical);
    this.#alerts.number(series, timeMs, value, status, historical);
    this.#inputs.number(series, timeMs, value, status, historical);
    this.listener?.number(series, timeMs, value, status, historical);
  }

  integer(series: SeriesId, timeMs: UnixMs, value: bigint, signed: boolean, status: StatusCode, historical: boolean): void {
    this.#twins.integer(series, timeMs, value, signed, status, historical);
    this.#alerts.integer(series, timeMs, value, signed, status, historical);
    this.#inputs.integer(series, timeMs, value, signed, status, historical);
    this.listener?.integer(series, timeMs, value, signed, status, historical);
  }

  text(series: SeriesId, timeMs: UnixMs, value: string, status: StatusCode, historical: boolean): void {
    this.#twins.text(series, timeMs, value, status, historical);
    this.#alerts.text(series, timeMs, value, status, historical);
    this.#inputs.text(series, timeMs, value, status, historical);
    this.listener?.text(series, timeMs, value, status, historical);
  }
}
