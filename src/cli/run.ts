/** `twinbox run`: the daemon with a configuration file. */
import { resolve } from 'node:path';
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
  const outcome = loadConfig(options.config, process.env);
  if (!outcome.ok) {
    printFaults(outcome.faults, process.stderr);
    return EXIT.config;
  }
  let config: LoadedConfig = outcome.value;
  if (options.dataDir !== undefined) config = { ...config, dataDir: resolve(options.dataDir) };
  if (options.listen !== undefined) {
    const listen = overrideListen(options.listen);
    if (!listen) return EXIT.usage;
    config = { ...config, listen };
  }
  return serve(config, standardLog(config.logLevel));
}

function overrideListen(text: string): Listen | undefined {
  const listen = parseListen(text);
  if (!listen) process.stderr.write(`--listen ${text} – expected HOST:PORT, such as 127.0.0.1:3000\n`);
  return listen;
}
