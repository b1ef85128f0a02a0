/** What is known of each tag while a source runs, and the one sentence that says which of them fail. */
import type { DataType, DataValue } from 'node-opcua-client';
import type { Emit } from '../../core/emit.ts';
import type { StatusCode } from '../../core/status.ts';
import type { SeriesId } from '../../core/tag.ts';
import type { UnixMs } from '../../core/time.ts';
import type { LinkReport, RawSample, TagRef } from '../driver.ts';
import { LastValue } from './last-value.ts';
import type { OpcuaTag } from './options.ts';
import { emitVariant, missingStatus, timeOf, valueTypeOf } from './values.ts';

/** A value changes often enough to speak for itself when it is younger than this. */
const FRESH_MS = 1_000;
const NAMED_FAILURES = 5; // as many as one line on a screen holds

export class TagState implements TagRef {
  readonly tag: OpcuaTag;
  readonly assetId: string;
  readonly tagName: string;
  #series: SeriesId | undefined;
  #seriesType: DataType | undefined;
  #known = false;
  readonly #last = new LastValue();
  /** Why the newest sample is not usable, by the status' name; `undefined` while all is well. */
  failure: string | undefined;

  constructor(tag: OpcuaTag, sourceId: string) {
    this.tag = tag;
    this.assetId = tag.asset_id ?? sourceId;
    this.tagName = tag.tag_name;
  }

  /** A run begins: the series handles of the one before are void. */
  begin(): void {
    this.#known = false;
    this.#last.forget();
  }

  /** What the server said last in this run. */
  raw(): RawSample | undefined {
    return this.#last.sample();
  }

  /** Emits one sample. True when the tag began or ceased to fail. */
  emit(emit: Emit, value: DataValue): boolean {
    return this.#emitAt(emit, value, timeOf(value));
  }

  /**
   * Emits what the server has at the start of a run, and a second time at the server's own present time when that value
   * is old: the newest sample of a tag may say that the link was lost, and a value that does not change would never end that.
   * The server's time and not ours: where its clock lags, all that follows would come too late to be the newest.
   */
  refresh(emit: Emit, value: DataValue, nowMs: UnixMs): void {
    const timeMs = timeOf(value);
    this.#emitAt(emit, value, timeMs);
    const presentMs = (value.serverTimestamp?.getTime() ?? nowMs) as UnixMs;
    if (timeMs !== undefined && timeMs < presentMs - FRESH_MS) this.#emitAt(emit, value, presentMs);
  }

  #emitAt(emit: Emit, value: DataValue, timeMs: UnixMs | undefined): boolean {
    this.#last.take(value);
    const missing = missingStatus(value);
    if (missing !== undefined) {
      const status = value.statusCode;
      return this.fail(emit, missing, status.isBad() ? status.name : 'has a type that is not supported, or no value', timeMs);
    }
    const series = this.#seriesFor(emit, value.value.dataType);
    if (series !== undefined) emitVariant(emit, series, timeMs, value);
    return this.#setFailure(undefined);
  }

  /** Emits a sample without a value. True when the tag began or ceased to fail. */
  fail(emit: Emit, status: StatusCode, failure: string, timeMs?: UnixMs): boolean {
    const series = this.#known ? this.#series : this.#seriesFor(emit, undefined);
    if (series !== undefined) emit.missing(series, timeMs, status);
    return this.#setFailure(failure);
  }

  #setFailure(failure: string | undefined): boolean {
    const changed = (failure === undefined) !== (this.failure === undefined);
    this.failure = failure;
    return changed;
  }

  #seriesFor(emit: Emit, dataType: DataType | undefined): SeriesId | undefined {
    if (this.#known && (dataType === undefined || dataType === this.#seriesType)) return this.#series;
    const { tag_name, unit, scale, offset, deadband } = this.tag;
    const own = dataType === undefined ? undefined : valueTypeOf(dataType);
    const scaled = scale !== undefined || offset !== undefined;
    const valueType = own === 'f32' && scaled ? 'f64' : own; // scaling gives digits that 32 bits do not hold
    this.#known = true;
    this.#seriesType = dataType;
    this.#series = emit.series({
      asset: this.assetId,
      tag: tag_name,
      ...(valueType === undefined ? {} : { valueType }),
      ...(unit === undefined ? {} : { unit }),
      ...(scale === undefined ? {} : { scale }),
      ...(offset === undefined ? {} : { offset }),
      ...(deadband === undefined ? {} : { deadband }),
    });
    return this.#series;
  }
}

/** For `DriverContext.report`. */
export function reportOf(tags: readonly TagState[]): LinkReport {
  const failed = tags.filter((state) => state.failure !== undefined);
  if (failed.length === 0) return { tagsFailed: 0 };
  const named = failed.slice(0, NAMED_FAILURES).map((state) => `${state.tag.node_id} ${state.failure}`);
  const more = failed.length > named.length ? ` and ${failed.length - named.length} more` : '';
  return { tagsFailed: failed.length, reason: `${failed.length} of ${tags.length} tags fail: ${named.join(', ')}${more}` };
}
