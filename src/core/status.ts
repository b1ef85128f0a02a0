/** Quality as OPC UA StatusCodes: the two top bits say good, uncertain or bad; the whole 32-bit code is kept. (OPC UA Part 4 §7.39) */

declare const statusCode: unique symbol;

/** An OPC UA StatusCode as an unsigned 32-bit number. */
export type StatusCode = number & { readonly [statusCode]: true };

export type Quality = 'good' | 'uncertain' | 'bad';

export const GOOD = 0x0000_0000 as StatusCode;
export const UNCERTAIN = 0x4000_0000 as StatusCode;
/** The sample carries a time of ours because the device's own was not believable. */
export const UNCERTAIN_CLOCK = 0x4094_0000 as StatusCode; // UncertainSubNormal
export const BAD = 0x8000_0000 as StatusCode;
/** The link to the device is down. */
export const BAD_NO_COMMUNICATION = 0x8031_0000 as StatusCode;
/** The device answered that it has no such item (Modbus exceptions 2 and 3). */
export const BAD_NODE_ID_UNKNOWN = 0x8034_0000 as StatusCode;
export const BAD_OUT_OF_RANGE = 0x803c_0000 as StatusCode;
export const BAD_NOT_SUPPORTED = 0x803d_0000 as StatusCode;
export const BAD_TYPE_MISMATCH = 0x8074_0000 as StatusCode;
export const BAD_TIMEOUT = 0x800a_0000 as StatusCode;
export const BAD_DECODING_ERROR = 0x8007_0000 as StatusCode;
export const BAD_DEVICE_FAILURE = 0x808b_0000 as StatusCode;
export const BAD_SENSOR_FAILURE = 0x808c_0000 as StatusCode;

/** The severity bits of a StatusCode; the reserved pattern 11 counts as bad. */
export function qualityOf(status: StatusCode | number): Quality {
  const severity = status >>> 30;
  return severity === 0 ? 'good' : severity === 1 ? 'uncertain' : 'bad';
}

export function isBad(status: StatusCode | number): boolean {
  return status >>> 31 === 1;
}

/** The StatusCode that stands for a quality given by name. */
export function statusOf(quality: Quality): StatusCode {
  return quality === 'good' ? GOOD : quality === 'uncertain' ? UNCERTAIN : BAD;
}
