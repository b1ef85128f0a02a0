/**
 * The newest DataValue of a tag, in columns that cost a sample nothing: numbers are copied into fields, and no object of the
 * library outlives its message but the two words of a 64-bit integer and a short text.
 */
import { DataType, type DataValue, Variant, VariantArrayType } from 'node-opcua-client';
import { MAX_TEXT_LENGTH } from '../../core/tag.ts';
import type { UnixMs } from '../../core/time.ts';
import type { RawSample } from '../driver.ts';
import { present } from '../schema.ts';
import { NO_TIME_MS, scalarOf, statusOf, valueTypeOf } from './values.ts';

export class LastValue {
  #isKnown = false;
  #type = DataType.Null;
  #isScalar = true;
  /** NaN where the value is no number. */
  #number = Number.NaN;
  #other: unknown;
  #status = 0;
  #sourceMs = Number.NaN;
  #serverMs = Number.NaN;

  take(value: DataValue): void {
    const variant = value.value as Variant | null | undefined;
    this.#isKnown = true;
    this.#type = variant?.dataType ?? DataType.Null;
    this.#isScalar = variant?.arrayType === VariantArrayType.Scalar;
    const raw = this.#isScalar ? variant?.value : undefined;
    this.#number = typeof raw === 'number' ? raw : Number.NaN;
    this.#other = typeof raw === 'number' || !isSmall(raw) ? undefined : raw;
    this.#status = statusOf(value);
    this.#sourceMs = value.sourceTimestamp?.getTime() ?? Number.NaN;
    this.#serverMs = value.serverTimestamp?.getTime() ?? Number.NaN;
  }

  forget(): void {
    this.#isKnown = false;
    this.#other = undefined;
  }

  /** Undefined before the first value. */
  sample(): RawSample | undefined {
    if (!this.#isKnown) return undefined;
    const words = present({
      data_type: `${DataType[this.#type]}${this.#isScalar ? '' : '[]'}`,
      value: this.#text(),
      status: `0x${this.#status.toString(16).padStart(8, '0')}`,
    });
    return { words, readMs: null, sourceMs: timeOrNull(this.#sourceMs), serverMs: timeOrNull(this.#serverMs) };
  }

  #text(): string | number | undefined {
    if (!Number.isNaN(this.#number)) return Number.isFinite(this.#number) ? this.#number : String(this.#number);
    if (this.#other === undefined || this.#other === null || valueTypeOf(this.#type) === undefined) return undefined;
    return String(scalarOf(new Variant({ dataType: this.#type, value: this.#other, arrayType: VariantArrayType.Scalar })));
  }
}

/** What a device may send is larger than what may be kept of it for each tag. */
function isSmall(raw: unknown): boolean {
  const text = typeof raw === 'object' && raw !== null && 'text' in raw ? raw.text : raw;
  return typeof text !== 'string' || text.length <= MAX_TEXT_LENGTH;
}

function timeOrNull(timeMs: number): UnixMs | null {
  return timeMs > NO_TIME_MS ? (timeMs as UnixMs) : null;
}
