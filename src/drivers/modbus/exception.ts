/** The exceptions a Modbus device answers with, and what each says of a tag. (Modbus Application Protocol V1.1b3 §7) */
import { GatewayError } from '../../core/errors.ts';
import * as status from '../../core/status.ts';

interface Meaning {
  readonly name: string;
  readonly status: status.StatusCode;
  /** True where asking again soon brings the same answer. */
  readonly permanent: boolean;
}

const MEANINGS: Readonly<Record<number, Meaning>> = {
  1: { name: 'illegal function', status: status.BAD_NOT_SUPPORTED, permanent: true },
  2: { name: 'illegal data address', status: status.BAD_NODE_ID_UNKNOWN, permanent: true },
  3: { name: 'illegal data value', status: status.BAD_NODE_ID_UNKNOWN, permanent: true },
  4: { name: 'device failure', status: status.BAD_DEVICE_FAILURE, permanent: false },
  5: { name: 'acknowledge, still processing', status: status.BAD_TIMEOUT, permanent: false },
  6: { name: 'device busy', status: status.BAD_TIMEOUT, permanent: false },
  7: { name: 'negative acknowledge', status: status.BAD_DEVICE_FAILURE, permanent: false },
  8: { name: 'memory parity error', status: status.BAD_DEVICE_FAILURE, permanent: false },
  10: { name: 'gateway path unavailable', status: status.BAD_NO_COMMUNICATION, permanent: false },
  11: { name: 'gateway target failed to respond', status: status.BAD_TIMEOUT, permanent: false },
};

const UNKNOWN: Meaning = { name: 'unknown exception', status: status.BAD, permanent: false };

const ILLEGAL_ADDRESS = 2;
const ILLEGAL_VALUE = 3;

/** The device answered, and refused. */
export class ModbusException extends GatewayError {
  readonly exceptionCode: number;
  /** What the tags of the refused request become. */
  readonly status: status.StatusCode;
  readonly permanent: boolean;

  constructor(exceptionCode: number, request: string, cause: unknown) {
    const meaning = MEANINGS[exceptionCode] ?? UNKNOWN;
    super('protocol', `exception ${exceptionCode} (${meaning.name}) to ${request}`, { cause });
    this.exceptionCode = exceptionCode;
    this.status = meaning.status;
    this.permanent = meaning.permanent;
  }

  /** True when a part of the request may be to blame, so that asking for less may work. */
  get concernsPart(): boolean {
    return this.exceptionCode === ILLEGAL_ADDRESS || this.exceptionCode === ILLEGAL_VALUE;
  }
}
