/**
 * A line that RTU frames travel on, shared by all sources whose devices are on it. RTU answers carry no number: on a line there is
 * one request at a time, and a unit that owes an answer is asked nothing until that can no longer come.
 */
import type { Clock } from '../../core/clock.ts';
import { type Closing, type Connection, clientOf, FramePort } from './connection.ts';
import { RequestQueue } from './request-queue.ts';
import { findAnswer, MAX_FRAME_BYTES } from './rtu-frame.ts';

/** An open line: bytes go out, and what arrives is handed to `onData`. */
export interface LineStream extends Closing {
  readonly isOpen: boolean;
  write(bytes: Buffer): void;
  onData(listener: (bytes: Buffer) => void): void;
  /** Resolves when the line can be opened again. */
  readonly gone: Promise<void>;
}

export interface LineOptions {
  readonly clock: Clock;
  /** Silence between two frames: 3.5 characters. (MODBUS over Serial Line V1.02 §2.5.1.1) */
  readonly gapMs: number;
}

/** As one source uses the line. */
export interface LineUse {
  readonly unitId: number;
  readonly timeoutMs: number;
  /** Opens the line where it is not open. */
  readonly open: () => Promise<LineStream>;
}

interface Pending {
  readonly request: Buffer;
  readonly port: FramePort;
  received: Buffer;
}

/** So many requests in a row without a byte from anybody, and the line is opened anew: it may be dead without a word. */
const MAX_SILENT = 2;
/** Noise that is kept in case an answer begins in it. */
const MAX_RECEIVED_BYTES = 2 * MAX_FRAME_BYTES;

export class Line {
  readonly queue = new RequestQueue();
  readonly #options: LineOptions;
  #stream: LineStream | undefined;
  /** The one before has to let the device go first. */
  #gone: Promise<void> = Promise.resolve();
  #isGone = true;
  #pending: Pending | undefined;
  /** When the last byte came or went; monotonic. */
  #busyMs = Number.NEGATIVE_INFINITY;
  #silent = 0;
  /** By unit: until when an answer that nobody waits for any more may still come; monotonic. */
  readonly #owing = new Map<number, number>();

  constructor(options: LineOptions) {
    this.#options = options;
  }

  /** True when it is closed and nothing of it has to be remembered. */
  get isIdle(): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    return !this.#stream && this.#isGone && [...this.#owing.values()].every((untilMs) => untilMs <= nowMs);
  }

  /** Resolves when the unit owes no answer. */
  async settled(unitId: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (let leftMs = this.#owedMs(unitId); leftMs > 0; leftMs = this.#owedMs(unitId)) await clock.sleep(Math.ceil(leftMs), signal);
    this.#owing.delete(unitId);
  }

  /** To be called in turn. Rejects as `open` does. */
  async connect({ unitId, timeoutMs, open }: LineUse, signal: AbortSignal): Promise<Connection> {
    const stream = this.#stream?.isOpen ? this.#stream : await this.#opened(open);
    let isUsed = true;
    const port = new FramePort((request) => {
      this.#pending = { request, port, received: Buffer.alloc(0) };
      this.#busyMs = this.#options.clock.monotonicMs();
      stream.write(request);
    });
    signal.throwIfAborted();
    return {
      client: clientOf(port, unitId),
      get isOpen() {
        return isUsed && stream.isOpen;
      },
      ready: (readySignal) => this.#ready({ unitId, timeoutMs }, readySignal),
      heard: () => (this.#pending?.port === port ? this.#pending.received : Buffer.alloc(0)),
      onClose: stream.onClose,
      destroy: () => {
        isUsed = false;
        if (this.#pending?.port === port) this.#giveUp(this.#pending, { unitId, timeoutMs });
      },
    };
  }

  /** Nobody uses it any more. */
  close(): void {
    this.#stream?.destroy();
    this.#stream = undefined;
    this.#pending = undefined;
    this.#silent = 0;
  }

  async #opened(open: LineUse['open']): Promise<LineStream> {
    this.close();
    await this.#gone;
    const stream = await open();
    this.#stream = stream;
    this.#isGone = false;
    this.#gone = stream.gone.then(() => {
      this.#isGone = true;
    });
    stream.onData((bytes) => {
      if (stream === this.#stream) this.#receive(bytes);
    });
    return stream;
  }

  #receive(bytes: Buffer): void {
    this.#busyMs = this.#options.clock.monotonicMs();
    this.#silent = 0;
    const pending = this.#pending;
    if (!pending) return; // late, or noise
    pending.received = Buffer.concat([pending.received, bytes]).subarray(-MAX_RECEIVED_BYTES);
    const answer = findAnswer(pending.received, pending.request);
    if (!answer) return;
    this.#pending = undefined;
    pending.port.received(answer);
  }

  /** Waits for what the unit owes and for the silence between frames; a line that is never silent is not waited for any longer than a device. */
  async #ready({ unitId, timeoutMs }: Omit<LineUse, 'open'>, signal: AbortSignal): Promise<void> {
    const { clock, gapMs } = this.#options;
    await this.settled(unitId, signal);
    const limitMs = clock.monotonicMs() + timeoutMs;
    const leftMs = () => Math.min(limitMs, this.#busyMs + gapMs) - clock.monotonicMs();
    for (let waitMs = leftMs(); waitMs > 0; waitMs = leftMs()) await clock.sleep(Math.ceil(waitMs), signal);
  }

  #giveUp(pending: Pending, { unitId, timeoutMs }: Omit<LineUse, 'open'>): void {
    this.#pending = undefined;
    this.#owing.set(unitId, this.#options.clock.monotonicMs() + timeoutMs);
    if (pending.received.length > 0) return;
    this.#silent++;
    if (this.#silent >= MAX_SILENT) this.close();
  }

  #owedMs(unitId: number): number {
    return (this.#owing.get(unitId) ?? Number.NEGATIVE_INFINITY) - this.#options.clock.monotonicMs();
  }
}
