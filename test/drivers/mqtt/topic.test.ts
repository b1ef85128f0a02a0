/** Topic filters against the standard's own examples and against an obvious model. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { capture, covers, matches, parseTopic, subscriptionsOf } from '../../../src/drivers/mqtt/topic.ts';

const under = (filter: string, topic: string): boolean => matches(parseTopic(filter).levels, topic.split('/'));

/** The standard's rules said once more, as a regular expression. */
function model(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false;
  const levels = filter.split('/').map((level) => (level === '+' ? '[^/]*' : level.replace(/[.*?^${}()|[\]\\]/g, '\\$&')));
  if (levels.at(-1) !== '#') return new RegExp(`^${levels.join('/')}$`, 's').test(topic);
  const parent = levels.slice(0, -1).join('/');
  return parent === '' && levels.length === 1 ? true : new RegExp(`^${parent}(/.*)?$`, 's').test(topic);
}

const name = fc.constantFrom('', 'a', 'b', 'c.d', '$sys', 'é');
const topics = fc.array(name, { minLength: 1, maxLength: 5 }).map((levels) => levels.join('/'));
const filters = fc
  .tuple(fc.array(fc.oneof(name, fc.constant('+')), { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([levels, hash]) => [...levels, ...(hash ? ['#'] : [])].join('/'))
  .filter((filter) => filter !== '');

test.each([
  // MQTT 5.0 §4.7.1.2, §4.7.1.3, §4.7.2
  ['sport/tennis/player1/#', 'sport/tennis/player1', true],
  ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
  ['sport/#', 'sport', true],
  ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
  ['sport/+', 'sport', false],
  ['sport/+', 'sport/', true],
  ['+/+', '/finance', true],
  ['+', '/finance', false],
  ['#', '$SYS/monitor/Clients', false],
  ['+/monitor/Clients', '$SYS/monitor/Clients', false],
  ['$SYS/#', '$SYS/monitor/Clients', true],
  ['$share/group/plant/+', 'plant/a', true],
])('the filter %s and the topic %s: %s', (filter, topic, expected) => {
  expect(under(filter, topic)).toBe(expected);
});

test('matching agrees with the model for any filter and topic', () => {
  fc.assert(
    fc.property(filters, topics, (filter, topic) => {
      expect(under(filter, topic)).toBe(model(filter, topic));
    }),
    { numRuns: 5_000 },
  );
});

test('a filter that covers another matches every topic that the other matches', () => {
  fc.assert(
    fc.property(filters, filters, topics, (wide, narrow, topic) => {
      fc.pre(covers(parseTopic(wide).levels, parseTopic(narrow).levels));
      if (under(narrow, topic)) expect(under(wide, topic)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test('subscriptions reach every topic that the patterns reach', () => {
  fc.assert(
    fc.property(fc.array(filters, { minLength: 1, maxLength: 6 }), topics, (list, topic) => {
      const subscribed = subscriptionsOf(list.map(parseTopic));
      expect(subscribed.some((filter) => under(filter, topic))).toBe(list.some((filter) => under(filter, topic)));
      expect(subscribed.length).toBeLessThanOrEqual(new Set(list).size);
    }),
    { numRuns: 2_000 },
  );
});

describe('captures', () => {
  test('become + in the subscription and give their levels', () => {
    const pattern = parseTopic('swap/{tenant}/packs/{asset}/{tag}');
    expect(pattern.subscription).toBe('swap/+/packs/+/+');
    expect(capture(pattern, 'swap/northwind/packs/PK-1/soc'.split('/'))).toEqual({ tenant: 'northwind', asset: 'PK-1', tag: 'soc' });
  });

  test('a shared subscription keeps its group and counts levels after it', () => {
    const pattern = parseTopic('$share/boxes/plants/{asset}/#');
    expect(pattern.subscription).toBe('$share/boxes/plants/+/#');
    expect(capture(pattern, ['plants', 'p1', 'x'])).toEqual({ asset: 'p1' });
  });

  test('what was captured put back in gives the topic again', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[^/+#\0]{1,8}$/), fc.stringMatching(/^[^/+#\0]{1,8}$/), (asset, tag) => {
        const topic = `p/${asset}/x/${tag}`;
        const pattern = parseTopic('p/{asset}/x/{tag}');
        expect(matches(pattern.levels, topic.split('/'))).toBe(true);
        expect(capture(pattern, topic.split('/'))).toEqual({ asset, tag });
      }),
    );
  });
});

test.each([
  ['', 'must not be empty'],
  ['a/#/b', 'only as its last level'],
  ['a/b#', 'takes the whole level'],
  ['a+/b', 'takes the whole level'],
  ['a/x{asset}', 'a capture takes the whole level'],
  ['a/{pack}', 'unknown capture {pack}'],
  ['{asset}/{asset}', '{asset} twice'],
  ['a\0', 'NUL'],
  ['a'.repeat(65_536), '65535 bytes'],
  ['$share/g', '$share/<group>/<topic>'],
  ['$share//a', '$share/<group>/<topic>'],
])('the topic %j is refused', (topic, message) => {
  expect(() => parseTopic(topic)).toThrow(message);
});
