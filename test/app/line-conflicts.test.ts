/** A serial line that two sources would use with other settings: refused over the API, naming the field. */
import { describe, expect, it } from 'vitest';
import { lineConflicts } from '../../src/app/line-conflicts.ts';
import { DRIVERS } from '../../src/drivers/registry.ts';
import type { SourceSpec } from '../../src/ingest/source.ts';

const config = (serial: object) => DRIVERS.modbus.configSchema.parse({ transport: 'rtu', serial: { path: '/dev/ttyUSB0', ...serial } });
const spec = (id: string, serial: object): SourceSpec => {
  return { id, name: id, type: 'modbus', tenant: 'default', enabled: true, managedBy: 'config', config: config(serial), tags: [] };
};
const draft = (serial: object) => ({ name: 'x', type: 'modbus' as const, enabled: true, config: config(serial), tags: [] });
const at = { tenant: 'other', id: 'ds-x' };

describe('a serial line', () => {
  it('is shared with the same settings, and its own source may change them', () => {
    const sources = [spec('ds-a', {}), spec('ds-x', { baud_rate: 19_200 })];
    expect(lineConflicts(draft({}), at, sources)).toEqual([]);
    expect(lineConflicts(draft({ path: '/dev/ttyUSB1', parity: 'odd' }), at, sources)).toEqual([]);
  });

  it('is refused with others, whoever has it', () => {
    expect(lineConflicts(draft({ stop_bits: 2 }), at, [spec('ds-a', {})])).toEqual([
      {
        field: 'config.serial.path',
        message: 'is in use with 9600 baud, parity none, 1 stop bit, and cannot be with 9600 baud, parity none, 2 stop bits too',
      },
    ]);
  });
});
