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

/** Never throws for what becomes of its output: a log that nobody can read any more is dropped. */
export function createLogger({ level, output, journal }: LoggerOptions): Log {
  const lines = new LineWriter(output, journal);
  const options = {
    level,
    base: null,
    messageKey: 'message',
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return adapt(pino(options, lines));
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

function adapt(target: Pino): Log {
  const write = (level: LogLevel) => (fields: LogFields, message: string) => {
    if (target.isLevelEnabled(level)) target[level](redactFields(fields), redactText(message));
  };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => adapt(target.child(redactFields(fields))),
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
