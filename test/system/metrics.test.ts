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

test('each scrape asks anew and gives types, escaped labels and the process’s own figures', async () => {
  let asked = 0;
  const metrics = new Metrics(async () => {
    asked++;
    return families;
  });
  await metrics.text();
  const lines = (await metrics.text()).split('\n');
  expect(asked).toBe(2);
  expect(lines).toContain('# TYPE twinbox_readings_total counter');
  expect(lines).toContain('twinbox_readings_total{source="plc",outcome="committed"} 9007199254740991');
  expect(lines).toContain('twinbox_readings_total{source="plc",outcome="dropped"} 0');
  expect(lines).toContain('twinbox_source_up{source="a \\"b\\"\\\\c\\nd"} 0');
  expect(lines.some((line) => /^twinbox_process_resident_memory_bytes \d+$/.test(line))).toBe(true);
  expect(lines.every((line) => line === '' || line.startsWith('#') || /^[a-z0-9_:]+(\{.*\})? \S+$/.test(line))).toBe(true);
});

test('a scrape fails with what the house says', async () => {
  const metrics = new Metrics(() => Promise.reject(new Error('the store is being started again')));
  await expect(metrics.text()).rejects.toThrow('the store is being started again');
});
