/** Keeps the library's own prints off stdout, where only our log lines belong. */
import { LogLevel, setDebugLogger, setErrorLogger, setLogLevel, setWarningLogger } from 'node-opcua-client';
import type { Log } from '../../core/log.ts';

// At once, for the library warns on stdout while it loads; its warnings repeat what our own errors say.
setLogLevel(LogLevel.Error);

/** From now on the library's errors are debug lines of `log`. */
export function redirectLibraryLog(log: Log): void {
  const toDebug = (_context: unknown, ...parts: unknown[]) => log.debug({ library: 'node-opcua' }, parts.map(String).join(' '));
  setErrorLogger(toDebug);
  setWarningLogger(toDebug);
  setDebugLogger(toDebug);
}
