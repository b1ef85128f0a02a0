/** The lines of numbers that a watch has of its sources. */
import { expect, it } from 'vitest';
import { Criterion } from '../../src/alerts/criterion.ts';
import { Feeds } from '../../src/alerts/feeds.ts';
import { Lines } from '../../src/alerts/lines.ts';
import { Watch } from '../../src/alerts/watch.ts';
import { DEFAULT_TENANT, type SeriesId } from '../../src/core/tag.ts';
import { MORNING_MS } from '../support/manual-clock.ts';
import { draft } from './rig.ts';

it('the lines of every source go back when a rule does, so that rules may come and go for years', () => {
  const lines = new Lines(4);
  const times = { createdMs: MORNING_MS, updatedMs: MORNING_MS };
  const rule = { ...draft(), ...times, tenant: DEFAULT_TENANT, id: 'hot', revision: 1, managedBy: 'api' as const };
  const criterion = new Criterion(rule.condition, false);
  const { length } = lines.numbers;
  for (let round = 0; round < 10; round++) {
    const feeds = new Feeds();
    const watch = new Watch(rule, 'Pump_001', lines);
    for (const [series, source] of ['plc', 'scada', 'api'].entries())
      feeds.attach({ watch, series: series as SeriesId, source, valueType: 'f64', criterion });
    watch.voices.leave();
  }
  expect(lines.numbers).toHaveLength(length);
});
