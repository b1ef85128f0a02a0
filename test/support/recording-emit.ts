/** An Emit that only remembers what a driver says, for tests of drivers alone. */
import type { Emit, EmitTag, RejectReason } from '../../src/core/emit.ts';
import type { StatusCode } from '../../src/core/status.ts';
import type { Scalar, Sequence, SeriesId } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';

export interface RecordedReading {
  readonly asset: string;
  readonly tag: string;
  readonly timeMs: UnixMs | undefined;
  /** null for a reading that is only a status. */
  readonly value: Scalar | null;
  readonly status: StatusCode;
}

export interface RecordingEmit {
  readonly emit: Emit;
  readonly readings: RecordedReading[];
  /** What each series was declared as, by `asset/tag`. */
  readonly tags: Map<string, EmitTag>;
  readonly rejected: RejectReason[];
  /** Set to false and `reserve` finds no place; `room` then waits until `makeRoom`. */
  hasRoom: boolean;
  makeRoom(): void;
}

export function recordingEmit(): RecordingEmit {
  const known: EmitTag[] = [];
  const waiting: (() => void)[] = [];
  const push = (series: SeriesId, timeMs: UnixMs | undefined, value: Scalar | null, status: StatusCode): void => {
    const tag = known[series];
    if (!tag) throw new Error(`series ${series} was never declared`);
    recording.readings.push({ asset: tag.asset, tag: tag.tag, timeMs, value, status });
  };
  const emit: Emit = {
    series(tag) {
      const index = known.findIndex((other) => other.asset === tag.asset && other.tag === tag.tag && other.tenant === tag.tenant);
      if (index >= 0) return index as SeriesId;
      recording.tags.set(`${tag.asset}/${tag.tag}`, tag);
      return (known.push(tag) - 1) as SeriesId;
    },
    reserve: () => recording.hasRoom,
    room(signal) {
      if (recording.hasRoom) return Promise.resolve();
      return new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        waiting.push(resolve);
      });
    },
    number: push,
    boolean: push,
    text: push,
    integer: (series, timeMs, value, _signed, status) => push(series, timeMs, value, status),
    missing: (series, timeMs, status) => push(series, timeMs, null, status),
    rejected: (reason) => {
      recording.rejected.push(reason);
    },
    sequence: () => recording.readings.length as Sequence,
    durable: () => Promise.resolve(),
  };
  const recording: RecordingEmit = {
    emit,
    readings: [],
    tags: new Map(),
    rejected: [],
    hasRoom: true,
    makeRoom() {
      recording.hasRoom = true;
      for (const resume of waiting.splice(0)) resume();
    },
  };
  return recording;
}
