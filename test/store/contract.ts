/** The contract that every telemetry engine keeps, whatever it is made of. Derived from the port's promises, not from an engine. */
import { describe } from 'vitest';
import { aggregateContract } from './contract/aggregate.ts';
import { changesContract } from './contract/changes.ts';
import { gapsContract } from './contract/gaps.ts';
import { openingContract } from './contract/opening.ts';
import { pagingContract } from './contract/paging.ts';
import { rawContract } from './contract/raw.ts';
import { retentionContract } from './contract/retention.ts';
import { type MakeEngine, useRig } from './contract/rig.ts';
import { valuesContract } from './contract/values.ts';

export function telemetryContract(name: string, makeEngine: MakeEngine): void {
  describe(`${name} keeps the telemetry contract`, () => {
    const rig = useRig(makeEngine);
    openingContract(rig);
    valuesContract(rig);
    rawContract(rig);
    pagingContract(rig);
    aggregateContract(rig);
    gapsContract(rig);
    changesContract(rig);
    retentionContract(rig);
  });
}
