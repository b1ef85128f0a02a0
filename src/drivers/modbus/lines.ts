/**
 * The lines that are in use in this process. A serial device can be opened once, and two requests at a time on one line destroy each
 * other, so this is kept for the whole process and not for a source.
 */
import { GatewayError } from '../../core/errors.ts';
import { Line, type LineOptions } from './line.ts';

interface Entry {
  readonly line: Line;
  /** As messages name them. */
  readonly settings: string;
  users: number;
}

const entries = new Map<string, Entry>();

export interface LineHold {
  readonly line: Line;
  /** The last who calls it closes the line. To be called once. */
  release(): void;
}

/** Takes part in the line of this key. Throws `config_invalid` where it is in use with other settings. */
export function holdLine(key: string, settings: string, options: LineOptions): LineHold {
  for (const [known, { line, users }] of entries) if (users === 0 && line.isIdle) entries.delete(known);
  const found = entries.get(key);
  if (found?.settings === settings) return hold(found);
  if (found && found.users > 0) {
    throw new GatewayError(
      'config_invalid',
      `${key} is in use with ${found.settings} by another source, and cannot be with ${settings} too`,
    );
  }
  const entry = { line: new Line(options), settings, users: 0 };
  entries.set(key, entry);
  return hold(entry);
}

function hold(entry: Entry): LineHold {
  entry.users++;
  return {
    line: entry.line,
    release: () => {
      entry.users--;
      if (entry.users === 0) entry.line.close();
    },
  };
}
