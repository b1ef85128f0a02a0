/** `twinbox run`: the daemon with a configuration file. */
import { resolve } from 'node:path';
import type { Outcome } from '../config/fault.ts';
import { type Listen, parseListen } from '../config/listen.ts';
import { loadConfig } from '../config/load.ts';
import type { LoadedConfig } from '../config/loaded.ts';
import { EXIT } from './exit.ts';
import { printFaults } from './faults.ts';
import { serve, standardLog } from './serve.ts';

export interface RunOptions {
  readonly config: string;
  readonly dataDir?: string;
  readonly listen?: string;
}

/** Resolves with the exit status. */
export async function runDaemon(options: RunOptions): Promise<number> {
  const listen = options.listen === undefined ? undefined : overrideListen(options.listen);
  if (options.listen !== undefined && !listen) return EXIT.usage;
  const read = (): Outcome<LoadedConfig> => {
    const outcome = loadConfig(options.config, process.env);
    if (!outcome.ok) return outcome;
    const dataDir = options.dataDir === undefined ? undefined : resolve(options.dataDir);
    return { ok: true, value: { ...outcome.value, ...(dataDir !== undefined && { dataDir }), ...(listen && { listen }) } };
  };
  const outcome = read();
  if (!outcome.ok) {
    printFaults(outcome.faults, process.stderr);
    return EXIT.config;
  }
  return serve(outcome.value, standardLog(outcome.value.logLevel), { reread: read });
}

function overrideListen(text: string): Listen | undefined {
  const listen = parseListen(text);
  if (!listen) process.stderr.write(`--listen ${text} – expected HOST:PORT, such as 127.0.0.1:3000\n`);
  return listen;
}
