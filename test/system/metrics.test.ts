/** The text of a scrape. */
import { expect, test } from 'vitest';
import { type MetricFamily, Metrics } from '../../src/system/metrics.ts';

const families: MetricFamily[] = [
  { name: 'twinbox_source_up', help: 'up', type: 'gauge', values: [{ labels: { source: 'a "b"\\c\nd' }, value: 0 }] },
  {
    name: 'twinbox_readings_total',
    help: 'by outcome',
    type: 'counter',
    values: [
      { labels: { source: 'plc', outcome: 'committed' }, value: 2 ** 53 - 1 },
      { labels: { source: 'plc', outcome: 'dropped' }, value: 0 },
    ],
  },
  { name: 'twinbox_store_fault', help: 'nothing at present', type: 'gauge', values: [] },
];

test('each scrape is of what it is given and has types, escaped labels and the process’s own figures', async () => {
  const metrics = new Metrics();
  await metrics.text(families);
  const lines = (await metrics.text(families)).split('\n');
  expect(lines).toContain('# TYPE twinbox_readings_total counter');
  expect(lines).toContain('twinbox_readings_total{source="plc",outcome="committed"} 9007199254740991');
  expect(lines).toContain('twinbox_readings_total{source="plc",outcome="dropped"} 0');
  expect(lines).toContain('twinbox_source_up{source="a \\"b\\"\\\\c\\nd"} 0');
  expect(lines.some((line) => /^twinbox_process_resident_memory_bytes \d+$/.test(line))).toBe(true);
  expect(lines.every((line) => line === '' || line.startsWith('#') || /^[a-z0-9_:]+(\{.*\})? \S+$/.test(line))).toBe(true);
});
