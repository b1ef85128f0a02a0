/** Where a derived value comes from, as `explain=1` tells it. */
import { expect, it } from 'vitest';
import { describe as originOf, tagSchema } from '../../../src/drivers/derived/options.ts';

it('names the tag behind every name of the expression, those of the same asset too', () => {
  const tag = tagSchema.parse({
    tag_name: 'total',
    asset_id: 'line',
    expression: 'level * 2 + off + other + level',
    inputs: { off: { asset_id: 'tank', tag_name: 'sw' }, other: { tag_name: 'x', data_source_id: 'plc' } },
  });
  expect(originOf({}, tag)).toEqual({
    address: { expression: 'level * 2 + off + other + level' },
    decode: { level: 'line/level', off: 'tank/sw', other: 'line/x from plc' },
  });
});

it('names a tag alone where the asset is the source itself', () => {
  expect(originOf({}, tagSchema.parse({ tag_name: 'total', expression: 'level * 2' })).decode).toEqual({ level: 'level' });
});
