/** One derived tag at work: the newest reading of each input, and what follows from them. */
import { BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH, GOOD, isBad, type StatusCode, UNCERTAIN } from '../../core/status.ts';
import { MAX_TEXT_LENGTH } from '../../core/tag.ts';
import type { UnixMs } from '../../core/time.ts';
import type { Expression, Operand } from './expression.ts';

export interface Result {
  /** Of the newest input. */
  readonly timeMs: UnixMs;
  /** Null where the status is bad. */
  readonly value: Operand | null;
  readonly status: StatusCode;
  /** Why the expression makes nothing of such inputs; undefined where it does, or where an input is bad. */
  readonly fault?: string;
}

interface Input {
  readonly name: string;
  /** Undefined until the first reading. */
  status: StatusCode | undefined;
  hasValue: boolean;
}

export class Calculation {
  readonly #expression: Expression;
  readonly #inputs: readonly Input[];
  readonly #values = new Map<string, Operand>();
  #timeMs = Number.NEGATIVE_INFINITY as UnixMs;
  #due = false;

  constructor(expression: Expression) {
    this.#expression = expression;
    this.#inputs = expression.names.map((name) => ({ name, status: undefined, hasValue: false }));
  }

  /**
   * True when what was heard before must be computed first: it is all that there is of an earlier instant. Readings of one instant, such
   * as those of one poll, make one result.
   */
  completes(timeMs: UnixMs): boolean {
    return this.#due && timeMs > this.#timeMs;
  }

  /** The newest reading of an input, by its place among the expression's names. */
  hear(index: number, timeMs: UnixMs, value: Operand | null, status: StatusCode): void {
    const input = this.#inputs[index] as Input;
    input.status = status;
    input.hasValue = value !== null;
    if (value !== null) this.#values.set(input.name, value);
    if (timeMs > this.#timeMs) this.#timeMs = timeMs;
    this.#due = true;
  }

  /** What there is to say since the last time; nothing until each input has a reading. */
  take(): Result | undefined {
    if (!this.#due) return undefined;
    this.#due = false;
    return this.present();
  }

  present(): Result | undefined {
    let isUncertain = false;
    for (const { status, hasValue } of this.#inputs) {
      if (status === undefined) return undefined;
      if (isBad(status) || !hasValue) return { timeMs: this.#timeMs, value: null, status: this.#worst() };
      if (status >>> 30 !== 0) isUncertain = true;
    }
    return this.#compute(isUncertain ? UNCERTAIN : GOOD);
  }

  #compute(status: StatusCode): Result {
    const timeMs = this.#timeMs;
    const value = this.#expression.evaluate(this.#values);
    if (value instanceof Error) return { timeMs, value: null, status: BAD_TYPE_MISMATCH, fault: value.message };
    if (typeof value === 'number' && !Number.isFinite(value)) return { timeMs, value: null, status: BAD_OUT_OF_RANGE };
    if (typeof value === 'string' && value.length > MAX_TEXT_LENGTH)
      return { timeMs, value: null, status: BAD_OUT_OF_RANGE, fault: 'the text is too long' };
    return { timeMs, value, status };
  }

  /** Of the first bad input; an input without a value that is not called bad is out of range. All inputs have a reading. */
  #worst(): StatusCode {
    return this.#inputs.find(({ status }) => status !== undefined && isBad(status))?.status ?? BAD_OUT_OF_RANGE;
  }
}
