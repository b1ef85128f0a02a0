/** What the demo's OPC UA server shows: a robot cell that welds, one cycle after the other. */
import type { OpcuaTagInput } from '../../drivers/opcua/options.ts';
import { noise } from '../../drivers/simulator/waveform.ts';

export const NAMESPACE = 'urn:twinbox:demo:cell';
const ROBOT = 'robot-3';
/** Approach, weld, retract, turn the table. */
const CYCLE_S = 18;

type CellType = 'Double' | 'Float' | 'UInt32' | 'String' | 'Boolean';

export interface CellVariable {
  readonly tag: string;
  readonly node: string;
  readonly type: CellType;
  readonly unit?: string;
  readonly valueAt: (cell: CellMoment) => number | string | boolean;
}

/** What the variables are computed from. */
interface CellMoment {
  readonly seconds: number;
  /** 0…1, how far the cycle is. */
  readonly phase: number;
  readonly cycles: number;
  /** 0 at rest … 1 at full swing. */
  readonly effort: number;
}

export const VARIABLES: readonly CellVariable[] = [
  {
    tag: 'torque',
    node: 'Robot3.Axis2.Torque',
    type: 'Double',
    unit: 'N·m',
    valueAt: (it) => 18 + 64 * it.effort + 2 * noise(41, it.seconds * 2),
  },
  {
    tag: 'speed',
    node: 'Robot3.Tcp.Speed',
    type: 'Float',
    unit: 'mm/s',
    valueAt: (it) => Math.max(0, 900 * it.effort + 8 * noise(42, it.seconds)),
  },
  {
    tag: 'motor_temperature',
    node: 'Robot3.Axis2.Temperature',
    type: 'Double',
    unit: '°C',
    valueAt: (it) => 46 + 5 * Math.sin(it.seconds / 240) + 0.6 * noise(43, it.seconds / 9),
  },
  {
    tag: 'cabinet_temperature',
    node: 'Cell.Cabinet.Temperature',
    type: 'Float',
    unit: '°C',
    valueAt: (it) => 31 + 2 * Math.sin(it.seconds / 400) + 0.2 * noise(44, it.seconds / 20),
  },
  {
    tag: 'air_pressure',
    node: 'Cell.Air.Pressure',
    type: 'Float',
    unit: 'bar',
    valueAt: (it) => 6.1 - 0.25 * it.effort + 0.05 * noise(45, it.seconds),
  },
  {
    tag: 'welding_current',
    node: 'Robot3.Gun.Current',
    type: 'Double',
    unit: 'A',
    valueAt: (it) => (isWelding(it) ? 185 + 6 * noise(46, it.seconds * 5) : 0),
  },
  { tag: 'power', node: 'Cell.Power', type: 'Double', unit: 'kW', valueAt: (it) => 1.4 + 3.2 * it.effort + (isWelding(it) ? 4.5 : 0) },
  { tag: 'cycle_time', node: 'Cell.CycleTime', type: 'Float', unit: 's', valueAt: (it) => CYCLE_S + 0.4 * noise(47, it.cycles) },
  { tag: 'cycle_count', node: 'Cell.CycleCount', type: 'UInt32', unit: '1', valueAt: (it) => it.cycles },
  { tag: 'state', node: 'Cell.State', type: 'String', valueAt: (it) => stateOf(it) },
  { tag: 'running', node: 'Cell.Running', type: 'Boolean', valueAt: (it) => stateOf(it) !== 'turning' },
];

/** The tags of an OPC UA source that reads everything this server has, as a configuration would list them. */
export const DEMO_OPCUA_TAGS: readonly OpcuaTagInput[] = VARIABLES.map(({ tag, node, unit }) => ({
  tag_name: tag,
  asset_id: ROBOT,
  node_id: `nsu=${NAMESPACE};s=${node}`,
  ...(unit === undefined ? {} : { unit }),
}));

/** The cell at a time in seconds since 1970: the same for everybody who asks. */
export function momentAt(seconds: number): CellMoment {
  const cycles = Math.floor(seconds / CYCLE_S) % 1_000_000; // as a counter of six digits
  const phase = (seconds % CYCLE_S) / CYCLE_S;
  return { seconds, phase, cycles, effort: Math.sin(Math.PI * phase) ** 2 };
}

function stateOf({ phase }: CellMoment): string {
  if (phase < 0.2) return 'approaching';
  if (phase < 0.7) return 'welding';
  return phase < 0.85 ? 'retracting' : 'turning';
}

function isWelding(cell: CellMoment): boolean {
  return stateOf(cell) === 'welding';
}
