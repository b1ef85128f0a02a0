/** Every type that a server can send, through to what is emitted. */
import fc from 'fast-check';
import { coerceInt64, coerceUInt64, DataType, DataValue, LocalizedText, StatusCodes, VariantArrayType } from 'node-opcua';
import { describe, expect, it } from 'vitest';
import { BAD_NOT_SUPPORTED, GOOD } from '../../../src/core/status.ts';
import { BAD_NO_DATA, emitVariant, missingStatus, scalarOf, statusOf, textBytes, timeOf } from '../../../src/drivers/opcua/values.ts';
import { recordingEmit } from '../../support/recording-emit.ts';

function emitted(dataType: DataType, value: unknown) {
  const recording = recordingEmit();
  const series = recording.emit.series({ asset: 'a', tag: 't' });
  if (series === undefined) throw new Error('no series');
  const dataValue = new DataValue({ value: { dataType, arrayType: VariantArrayType.Scalar, value } });
  expect(missingStatus(dataValue)).toBeUndefined();
  emitVariant(recording.emit, series, undefined, dataValue);
  return { ...recording, value: recording.readings[0]?.value, scalar: scalarOf(dataValue.value), bytes: textBytes(dataValue) };
}

describe('value', () => {
  it('is taken as it is for numbers, booleans and text', () => {
    for (const [dataType, value] of [
      [DataType.Double, -1.5e300],
      [DataType.Float, Math.fround(0.1)],
      [DataType.SByte, -128],
      [DataType.UInt16, 65_535],
      [DataType.Int32, -(2 ** 31)],
      [DataType.UInt32, 2 ** 32 - 1],
      [DataType.Boolean, true],
      [DataType.String, 'läuft 🙂'],
    ] as const) {
      const result = emitted(dataType, value);
      expect([result.value, result.scalar]).toEqual([value, value]);
    }
  });

  it('of 64 bits keeps every bit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(emitted(DataType.Int64, coerceInt64(`${value}`)).value).toBe(value);
      }),
    );
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        const { value: kept, scalar } = emitted(DataType.UInt64, coerceUInt64(`${value}`));
        expect(kept).toBe(value);
        expect(BigInt(scalar as bigint)).toBe(value);
        expect(typeof scalar).toBe(value <= BigInt(Number.MAX_SAFE_INTEGER) ? 'number' : 'bigint');
      }),
    );
  });

  it('of DateTime and LocalizedText is text', () => {
    expect(emitted(DataType.DateTime, new Date('2026-01-06T10:00:00.250Z')).value).toBe('2026-01-06T10:00:00.250Z');
    expect(emitted(DataType.LocalizedText, new LocalizedText({ locale: 'de', text: 'Störung' })).value).toBe('Störung');
  });

  it('says how much text it carries', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 50 }), (text) => {
        expect(emitted(DataType.String, text).bytes).toBe(Buffer.byteLength(text));
      }),
    );
    expect(emitted(DataType.Double, 1).bytes).toBe(0);
  });

  it('of more than 1,024 characters of text is rejected and counted', () => {
    expect(emitted(DataType.String, 'x'.repeat(1_024)).value).toHaveLength(1_024);
    const long = emitted(DataType.String, 'x'.repeat(1_025));
    expect(long.readings).toEqual([]);
    expect(long.rejected).toEqual(['too_long']);
  });

  it('of an array, a structure or another type that we do not take is missing, with a status that says so', () => {
    const array = { dataType: DataType.Double, arrayType: VariantArrayType.Array, value: [1, 2] };
    expect(missingStatus(new DataValue({ value: array }))).toBe(BAD_NOT_SUPPORTED);
    expect(missingStatus(new DataValue({ value: { dataType: DataType.ByteString, value: Buffer.from('x') } }))).toBe(BAD_NOT_SUPPORTED);
  });

  it('that is null or bad is missing', () => {
    expect(missingStatus(new DataValue({ statusCode: StatusCodes.Good }))).toBe(BAD_NO_DATA);
    expect(missingStatus(new DataValue({ value: { dataType: DataType.String, value: null } }))).toBe(BAD_NO_DATA);
    const bad = new DataValue({ value: { dataType: DataType.Double, value: 5 }, statusCode: StatusCodes.BadSensorFailure });
    expect(missingStatus(bad)).toBe(StatusCodes.BadSensorFailure.value);
  });
});

describe('status and time', () => {
  it('keep the whole 32-bit code, info bits included', () => {
    const overflow = new DataValue({ statusCode: StatusCodes.GoodWithOverflowBit });
    expect(statusOf(overflow)).toBe(0x480);
    expect(statusOf(new DataValue({ statusCode: StatusCodes.BadCommunicationError }))).toBe(0x8005_0000);
    expect(statusOf(new DataValue({}))).toBe(GOOD);
  });

  it("are the source's, else the server's, else none", () => {
    const source = new Date('2026-01-06T10:00:00Z');
    const server = new Date('2026-01-06T10:00:01Z');
    expect(timeOf(new DataValue({ sourceTimestamp: source, serverTimestamp: server }))).toBe(source.getTime());
    expect(timeOf(new DataValue({ serverTimestamp: server }))).toBe(server.getTime());
    expect(timeOf(new DataValue({}))).toBeUndefined();
    expect(timeOf(new DataValue({ sourceTimestamp: new Date(Date.UTC(1601, 0, 1)) }))).toBeUndefined();
  });
});
