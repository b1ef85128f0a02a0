/** The one table of what an error of SQLite or of the file system says about a file. */
import { isGatewayError } from '../../core/errors.ts';

/**
 * `damaged`: its content is not as it was left. `unreadable`: the disk does not give a part of it, now or for ever. `strange`: what is wrong with
 * a file that can be read, as a table that is gone, or with what we ask of it. `passing`: says nothing about the file; who meets it tries
 * again later.
 */
type FileFault = 'damaged' | 'unreadable' | 'strange' | 'passing';

/** The first row that fits counts. Result codes: sqlite.org/rescode.html; errno: errno(3). */
const FAULTS: readonly (readonly [code: RegExp, fault: FileFault])[] = [
  [/^SQLITE_(CORRUPT|NOTADB|IOERR_(SHORT_READ|CORRUPTFS|DATA))/, 'damaged'],
  [/^SQLITE_IOERR_READ/, 'unreadable'],
  [/^SQLITE_(BUSY|LOCKED|CANTOPEN|PERM|AUTH|FULL|NOMEM|PROTOCOL|IOERR)/, 'passing'], // CANTOPEN: EMFILE, ENFILE, EACCES and others
  [/^SQLITE_/, 'strange'],
  [/^E[A-Z0-9_]+$/, 'passing'],
];

/** What lies behind an error; one without such a code is what its cause is, and without a cause `strange`. */
export function faultOfFile(error: unknown): FileFault {
  if (!(error instanceof Error)) return 'strange';
  const code = 'code' in error ? String(error.code) : '';
  const known = FAULTS.find(([pattern]) => pattern.test(code));
  if (known) return known[1];
  return error.cause === undefined ? 'strange' : faultOfFile(error.cause);
}

/** True when SQLite, or what caused our own error, found a file damaged, or could not read a part of it. */
export function isDamage(error: unknown): boolean {
  const fault = faultOfFile(error);
  return fault === 'damaged' || fault === 'unreadable';
}

/** True for what keeps a file from being opened: anything but what passes by itself and what a newer version has written. */
export function saysDamaged(error: unknown): boolean {
  if (isGatewayError(error) && error.cause === undefined) return false; // a newer version's: our own word
  return error instanceof Error && faultOfFile(error) !== 'passing';
}
