/** Apply tells the twins first, then the alert rules, then those who compute, and then whoever listens, with all that the ring said. */
import { describe, expect, it } from 'vitest';
import { Apply } from '../../src/app/apply.ts';
import { GOOD } from '../../src/core/status.ts';
import type { SeriesId } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import type { Consumer } from '../../src/ingest/pipeline.ts';

function consumer(name: string, heard: unknown[][]): Consumer {
  return {
    number: (...reading) => heard.push([name, ...reading]),
    integer: (...reading) => heard.push([name, ...reading]),
    text: (...reading) => heard.push([name, ...reading]),
  };
}

describe('apply', () => {
  const series = 7 as SeriesId;
  const timeMs = 1 as UnixMs;

  it('tells all, the twins first, of every kind of reading and whether it is late', () => {
    const heard: unknown[][] = [];
    const apply = new Apply(consumer('twins', heard), consumer('rules', heard), consumer('inputs', heard));
    apply.listener = consumer('stream', heard);
    apply.number(series, timeMs, 1.5, GOOD, false);
    apply.integer(series, timeMs, 2n, true, GOOD, true);
    apply.text(series, timeMs, 'on', GOOD, false);
    expect(heard).toEqual([
      ['twins', series, timeMs, 1.5, GOOD, false],
      ['rules', series, timeMs, 1.5, GOOD, false],
      ['inputs', series, timeMs, 1.5, GOOD, false],
      ['stream', series, timeMs, 1.5, GOOD, false],
      ['twins', series, timeMs, 2n, true, GOOD, true],
      ['rules', series, timeMs, 2n, true, GOOD, true],
      ['inputs', series, timeMs, 2n, true, GOOD, true],
      ['stream', series, timeMs, 2n, true, GOOD, true],
      ['twins', series, timeMs, 'on', GOOD, false],
      ['rules', series, timeMs, 'on', GOOD, false],
      ['inputs', series, timeMs, 'on', GOOD, false],
      ['stream', series, timeMs, 'on', GOOD, false],
    ]);
  });

  it('tells nobody else while nobody listens', () => {
    const heard: unknown[][] = [];
    const apply = new Apply(consumer('twins', heard), consumer('rules', heard), consumer('inputs', heard));
    apply.number(series, timeMs, 1, GOOD, false);
    expect(heard.map(([name]) => name)).toEqual(['twins', 'rules', 'inputs']);
  });
});
