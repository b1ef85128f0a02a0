/** `twinbox check FILE`: says what is wrong in a configuration file, without touching the plant. */
import { formatFault } from '../config/fault.ts';
import { loadConfig } from '../config/load.ts';
import type { Environment } from '../config/secrets.ts';
import { systemClock } from '../core/clock.ts';
import { EXIT } from './exit.ts';

export interface CheckIo {
  readonly env: Environment;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** Prints each fault as `file:line:col path – message`, or what the file holds. Resolves with the exit status: 0 or 78. */
export async function runCheck(file: string, io: CheckIo = process): Promise<number> {
  const outcome = loadConfig(file, io.env, systemClock.now());
  if (!outcome.ok) {
    for (const fault of outcome.faults) io.stderr.write(`${formatFault(fault)}\n`);
    return EXIT.config;
  }
  const { sources, twins } = outcome.value;
  const tagCount = sources.reduce((sum, source) => sum + source.tags.length, 0);
  io.stdout.write(`ok: ${sources.length} sources, ${tagCount} tags, ${twins.length} twins\n`);
  return EXIT.done;
}
