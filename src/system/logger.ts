/** The daemon's log: JSON lines on standard output, with the journal's level prefix where the journal reads them. */
import { fstatSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { pino } from 'pino';
import type { Log, LogFields } from '../core/log.ts';
import { redactFields, redactText } from './redact.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Standard output, or what stands for it. */
  readonly output: Writable;
  /** True puts `<N>` before each line: sd-daemon(3), SD_ERR and its like. */
  readonly journal: boolean;
}

/** Syslog's severity for each of pino's levels. */
const SEVERITY: Readonly<Record<number, number>> = { 20: 7, 30: 6, 40: 4, 50: 3 };
const MAX_PENDING_BYTES = 1024 * 1024; // a reader that stands still must not fill the memory: 5,000 lines wait, the rest is counted

/** A log whose level may change; its children follow. */
export interface LeveledLog extends Log {
  /** Gives what it was before. */
  setLevel(level: LogLevel): LogLevel;
}

/** Never throws for what becomes of its output: a log that nobody can read any more is dropped. */
export function createLogger({ level, output, journal }: LoggerOptions): LeveledLog {
  const lines = new LineWriter(output, journal);
  const threshold: Threshold = { level };
  const options = {
    level: 'debug', // ours decides: pino's children keep the level that they were made with
    base: null,
    messageKey: 'message',
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const setLevel = (next: LogLevel) => {
    const before = threshold.level;
    threshold.level = next;
    return before;
  };
  return { ...adapt(pino(options, lines), threshold), setLevel };
}

/**
 * True when systemd has connected `fd` to the journal. `JOURNAL_STREAM` alone does not tell: it is inherited by
 * terminals and by processes whose output goes elsewhere, so its device and inode are compared (systemd.exec(5)).
 */
export function isJournal(env: Readonly<Record<string, string | undefined>>, fd: number): boolean {
  const stream = env['JOURNAL_STREAM'];
  if (!stream) return false;
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return stream === `${dev}:${ino}`;
}

type Pino = ReturnType<typeof pino>;

/** Shared by a log and its children. */
interface Threshold {
  level: LogLevel;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

function adapt(target: Pino, threshold: Threshold): Log {
  const write = (level: LogLevel) => (fields: LogFields, message: string) => {
    if (RANK[level] >= RANK[threshold.level]) target[level](redactFields(fields), redactText(message));
  };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => adapt(target.child(redactFields(fields)), threshold),
  };
}

/** A stream that has this is told the level of each line by `lastLevel`. */
const NEEDS_METADATA: unique symbol = Symbol.for('pino.metadata');

class LineWriter {
  readonly [NEEDS_METADATA] = true;
  lastLevel = 30;
  readonly #output: Writable;
  readonly #journal: boolean;
  #gone = false;
  #lost = 0;

  constructor(output: Writable, journal: boolean) {
    this.#output = output;
    this.#journal = journal;
    // EPIPE: the reader went away. Without a listener it would end the daemon.
    output.on('error', () => {
      this.#gone = true;
    });
  }

  write(line: string): void {
    if (this.#gone || this.#output.destroyed) return;
    if (this.#output.writableLength > MAX_PENDING_BYTES) {
      this.#lost++;
      return;
    }
    if (this.#lost > 0) {
      this.#put(
        4,
        `${JSON.stringify({ level: 'warn', lost: this.#lost, message: 'log lines were lost: the reader of the log stood still' })}\n`,
      );
      this.#lost = 0;
    }
    this.#put(SEVERITY[this.lastLevel] ?? 6, line);
  }

  #put(severity: number, line: string): void {
    this.#output.write(this.#journal ? `<${severity}>${line}` : line);
  }
}
