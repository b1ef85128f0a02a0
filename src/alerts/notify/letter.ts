/** What is said on a channel, ready to be sent: for people and for programs, composed once and kept in the outbox. */
import type { UnixMs } from '../../core/time.ts';
import type { Severity } from '../alert.ts';

export interface Letter {
  /** The same at each try, so that a receiver can tell a repeat: `<alert>.<event>` or a UUID. */
  readonly id: string;
  readonly event: 'triggered' | 'resolved' | 'summary' | 'test';
  readonly severity: Severity;
  /** One line. */
  readonly subject: string;
  /** Lines, without one that is empty at the end. */
  readonly text: string;
  /** Plain JSON, for programs. */
  readonly document: Readonly<Record<string, unknown>>;
  readonly timeMs: UnixMs;
}
