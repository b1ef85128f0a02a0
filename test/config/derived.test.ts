/** Derived tags in the file: what is wrong is named at its place, circles over several sources too. */
import { describe, expect, it } from 'vitest';
import { configFolder } from './config-folder.ts';

const file = (...tags: readonly string[]) =>
  ['sources:', '- id: calc', '  name: Calculations', '  type: derived', '  tags:', ...tags.map((tag) => `  - ${tag}`)].join('\n');

describe('derived tags of the file', () => {
  it('are loaded with their defaults', () => {
    const expression = '(supply_temp - return_temp) * flow * 1.163';
    const config = configFolder().load(file(`{ tag_name: heat, asset_id: boiler-1, unit: kW, expression: "${expression}" }`));
    expect(config.sources[0]).toMatchObject({
      type: 'derived',
      config: {},
      tags: [{ tag_name: 'heat', asset_id: 'boiler-1', unit: 'kW', expression, inputs: {}, writable: false }],
    });
  });

  it.each([
    ['{ tag_name: a }', 'sources.0.tags.0.expression'],
    ['{ tag_name: a, expression: "b +" }', '6:32 sources.0.tags.0.expression – cannot be read: it ends too early'],
    ['{ tag_name: a, expression: "b of c" }', '6:32 sources.0.tags.0.expression – asks for a part of a value'],
    ['{ tag_name: a, expression: "b", writable: true }', 'sources.0.tags.0.writable'],
    ['{ tag_name: a, expression: "b", scale: 2 }', 'sources.0.tags.0.scale'],
    ['{ tag_name: a, expression: "b", inputs: { c: { tag_name: c } } }', 'sources.0.tags.0.inputs.c – is not in the expression'],
    ['{ tag_name: a, expression: "b", inputs: { b: { tag: c } } }', 'sources.0.tags.0.inputs.b.tag'],
    ['{ tag_name: a, expression: "b", inputs: { b: { tag_name: c, data_source_id: clac } } }', 'did you mean "calc"?'],
    ['{ tag_name: a, expression: "a + 1" }', '6:32 sources.0.tags.0.expression – is computed from itself: calc/a from calc/a'],
  ])('%s is refused', (tag, fault) => {
    expect(configFolder().faults(file(tag)).join('\n')).toContain(fault);
  });

  it('that go round over several sources are refused, each circle once', () => {
    const second = '- { id: more, name: More, type: derived, tags: [{ tag_name: b, asset_id: x, expression: "c * 2" }] }';
    const first = file('{ tag_name: a, asset_id: x, expression: b + 1 }', '{ tag_name: c, asset_id: x, expression: a - 1 }');
    const faults = configFolder().faults(`${first}\n${second}`);
    expect(faults).toEqual([
      expect.stringContaining('sources.1.tags.0.expression – is computed from itself: x/b from x/c from x/a from x/b'),
    ]);
  });

  it('have one owner', () => {
    const second = '- { id: more, name: More, type: derived, tags: [{ tag_name: a, asset_id: calc, expression: "c * 2" }] }';
    const faults = configFolder().faults(`${file('{ tag_name: a, expression: b + 1 }')}\n${second}`);
    expect(faults).toEqual([expect.stringContaining('sources.1.tags.0.expression – calc/a is computed by the source "calc" already')]);
  });

  it('may form a long chain', () => {
    const tags = Array.from({ length: 3_000 }, (_, index) => `{ tag_name: t${index}, unit: "", expression: t${index + 1} + 1 }`);
    expect(configFolder().load(file(...tags)).sources[0]?.tags).toHaveLength(3_000);
  });
});
