/** The rows engine keeps the contract. */
import { join } from 'node:path';
import { RowsEngine } from '../../src/store/rows/engine.ts';
import { telemetryContract } from './contract.ts';

telemetryContract('the rows engine', (dir, clock) => new RowsEngine(join(dir, 'telemetry.db'), clock));
