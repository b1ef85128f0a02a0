/**
 * A store to be killed: feeds the engine with the plant's records, seals and compacts all the time, and prints each place up to which all
 * is synced. Arguments as JSON: see ChildOptions.
 */
import { writeSync } from 'node:fs';
import { ColumnarEngine } from '../../src/store/engine/columnar.ts';
import { PlantClock } from './store-clock.ts';
import { PlantLoad } from './store-load.ts';
import { nowAt, type Place } from './store-plant.ts';

export interface ChildOptions {
  readonly dir: string;
  /** Where an earlier life was sure to be. */
  readonly place: Place;
  readonly maxAgeMs?: number;
  /** Memory for samples that are not sealed. */
  readonly maxUnsealedBytes?: number;
  /** Seals and compacts nothing but what it must to come up. */
  readonly isIdle?: boolean;
  /** Kills itself at the n-th passing of this step. */
  readonly at?: { readonly step: string; readonly nth: number };
  /** Ends by itself when this record is reached. */
  readonly until?: number;
}

const options = JSON.parse(process.argv[2] as string) as ChildOptions;
let passed = 0;
const pass = (step: string) => {
  if (step === options.at?.step && ++passed === options.at.nth) process.kill(process.pid, 'SIGKILL');
};
const clock = new PlantClock(nowAt(options.place.n));
const engine = new ColumnarEngine({
  dir: options.dir,
  clock,
  report: (what, error) => writeSync(1, `damaged ${what}: ${error instanceof Error ? error.message : JSON.stringify(error)}\n`),
  log: { segmentBytes: 16 << 10, ...(options.at ? { hook: (point: string) => pass(`log ${point}`) } : {}) },
  ...(options.maxUnsealedBytes === undefined ? {} : { maxUnsealedBytes: options.maxUnsealedBytes }),
  ...(options.at ? { hook: (step: string, what: string) => pass(`${step} ${what}`) } : {}),
});
if (options.isIdle) engine.expire = async () => false;
const { next } = await engine.open();
if (options.maxAgeMs !== undefined) await engine.setRetention({ maxAgeMs: options.maxAgeMs });
const load = new PlantLoad(engine, clock, { from: options.place, next });
writeSync(1, 'opened\n');
let told: Place | undefined;
const tell = () => {
  if (load.synced && load.synced !== told) writeSync(1, `${load.synced.n} ${load.synced.sequence}\n`);
  told = load.synced;
};
while (load.place.n < (options.until ?? Number.POSITIVE_INFINITY)) await load.round(tell);
await load.sync();
tell();
