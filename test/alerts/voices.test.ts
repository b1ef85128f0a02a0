/** The lines of numbers that a watch has of its sources, and their places in the columns. */
import { expect, it } from 'vitest';
import { Criterion } from '../../src/alerts/criterion.ts';
import { Feeds } from '../../src/alerts/feeds.ts';
import { Lines } from '../../src/alerts/lines.ts';
import { Watch } from '../../src/alerts/watch.ts';
import { DEFAULT_TENANT, type SeriesId } from '../../src/core/tag.ts';
import { MORNING_MS } from '../support/manual-clock.ts';
import { draft } from './rig.ts';

it('the line and the place of every source go back when a rule does, so that rules may come and go for years', () => {
  const lines = new Lines(4);
  const times = { createdMs: MORNING_MS, updatedMs: MORNING_MS };
  const rule = { ...draft(), ...times, tenant: DEFAULT_TENANT, id: 'hot', revision: 1, managedBy: 'api' as const };
  const criterion = new Criterion(rule.condition, false);
  const { length } = lines.numbers;
  const feeds = new Feeds();
  for (let round = 0; round < 10; round++) {
    const watch = new Watch(rule, 'Pump_001', lines);
    for (const [series, source] of ['plc', 'scada', 'api'].entries())
      expect(feeds.attach({ watch, series: series as SeriesId, source, valueType: 'f64', criterion }).number).toBeLessThanOrEqual(3);
    for (const { series } of [...watch.feeds]) feeds.detach(series, () => true);
    watch.voices.leave();
  }
  expect(lines.numbers).toHaveLength(length);
});
