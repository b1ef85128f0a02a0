/** A temporary folder for configuration files, and their faults as text without the folder's name. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { formatFault } from '../../src/config/fault.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { LoadedConfig } from '../../src/config/loaded.ts';

export interface ConfigFolder {
  /** Absolute path of a file in it. */
  path(name: string): string;
  write(name: string, content: string | Uint8Array, mode?: number): string;
  /** Writes `config.yaml` and gives what is wrong with it; throws when nothing is. */
  faults(content: string | Uint8Array, options?: LoadOptions): string[];
  /** Writes `config.yaml` and loads it; throws its faults. */
  load(content: string, options?: LoadOptions): LoadedConfig;
}

interface LoadOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly mode?: number;
}

/** Gone when the test is over. */
export function configFolder(): ConfigFolder {
  const folder = mkdtempSync(join(tmpdir(), 'twinbox-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string): string => join(folder, name);
  const write = (name: string, content: string | Uint8Array, mode = 0o600): string => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), content);
    chmodSync(path(name), mode);
    return path(name);
  };
  const outcome = (content: string | Uint8Array, { env = {}, mode = 0o600 }: LoadOptions) =>
    loadConfig(write('config.yaml', content, mode), env);
  return {
    path,
    write,
    faults: (content, options = {}) => {
      const loaded = outcome(content, options);
      if (loaded.ok) throw new Error('the configuration has no fault');
      return loaded.faults.map((fault) => formatFault(fault).replaceAll(`${folder}/`, ''));
    },
    load: (content, options = {}) => {
      const loaded = outcome(content, options);
      if (!loaded.ok) throw new Error(loaded.faults.map(formatFault).join('\n'));
      return loaded.value;
    },
  };
}
