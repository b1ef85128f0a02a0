/** `twinbox check FILE`: says what is wrong in a configuration file, without touching the plant. */
import { loadConfig } from '../config/load.ts';
import type { SourceSpec } from '../config/loaded.ts';
import type { Environment } from '../config/secrets.ts';
import { systemClock } from '../core/clock.ts';
import { EXIT } from './exit.ts';
import { printFaults } from './faults.ts';

export interface CheckIo {
  readonly env: Environment;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** Prints the first faults as `file:line:col path – message`, or what the file holds. Resolves with the exit status: 0 or 78. */
export async function runCheck(file: string, io: CheckIo = process): Promise<number> {
  const outcome = loadConfig(file, io.env, systemClock.now());
  if (!outcome.ok) {
    printFaults(outcome.faults, io.stderr);
    return EXIT.config;
  }
  const { sources, twins } = outcome.value;
  for (const warning of warningsOf(sources)) io.stdout.write(`warning: ${warning}\n`);
  const tagCount = sources.reduce((sum, source) => sum + source.tags.length, 0);
  io.stdout.write(`ok: ${sources.length} sources, ${tagCount} tags, ${twins.length} twins\n`);
  return EXIT.done;
}

/** A unit does not follow from an expression; nobody notices its lack until the value stands on a page. `unit: ""` says that there is none. */
function warningsOf(sources: readonly SourceSpec[]): readonly string[] {
  return sources.flatMap(({ id, type, tags }) => {
    const bare = type === 'derived' ? tags.filter(({ unit }) => unit === undefined).map(({ tag_name: name }) => name) : [];
    if (bare.length === 0) return [];
    const more = bare.length > 1 ? ` and ${bare.length - 1} more` : '';
    return [`the derived tag "${bare[0]}"${more} of source "${id}" has no unit; unit: "" where there is none`];
  });
}
