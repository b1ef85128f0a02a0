/** Good and bad options: each mistake is named at its place. */
import { expect, test } from 'vitest';
import { configSchema, endpoint, tagSchema } from '../../../src/drivers/mqtt/options.ts';

const issues = (
  schema: { safeParse(input: unknown): { error?: { issues: readonly { path: PropertyKey[]; message: string }[] } | undefined } },
  input: unknown,
) => (schema.safeParse(input).error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');

test('the shortest config has defaults that lose nothing', () => {
  expect(configSchema.parse({ broker_url: 'mqtt://broker' })).toEqual({
    broker_url: 'mqtt://broker',
    qos: 1,
    protocol_version: 4,
    keepalive_s: 10,
    clean_session: false,
  });
});

test.each([
  [{ broker_url: 'http://broker' }, 'broker_url: must be mqtt://'],
  [{ broker_url: 'broker' }, 'broker_url: must be mqtt://'],
  [{ broker_url: 'mqtt://box:pw@broker' }, 'broker_url: must not hold credentials: use "username" and "password"'],
  [{ broker_url: 'mqtt://broker/plant' }, 'broker_url: must end after the port'],
  [{ broker_url: 'mqtt://b', qos: 2 }, 'qos: must be 0 or 1'],
  [{ broker_url: 'mqtt://b', protocol_version: 3 }, 'protocol_version: must be 4'],
  [{ broker_url: 'mqtt://b', keepalive_s: 60 }, 'keepalive_s: '],
  [{ broker_url: 'mqtt://b', password: 'x' }, 'username: is needed with "password"'],
  [{ broker_url: 'mqtt://b', tls: {} }, 'tls: needs a broker_url with mqtts:// or wss://'],
  [{ broker_url: 'mqtts://b', tls: { cert: 'c.pem' } }, 'tls.key: is needed with "cert"'],
  [{ broker_url: 'mqtts://b', tls: { key: 'k.pem' } }, 'tls.cert: is needed with "key"'],
  [{ broker_url: 'mqtt://b', topics: ['a', 'b/#/c'] }, 'topics.1: may hold "#" only as its last level'],
  [{ broker_url: 'mqtt://b', topics: ['a/{tag}'] }, 'topics.0: must not capture {tag}'],
  [{ broker_url: 'mqtt://b', colour: 'red' }, 'Unrecognized key'],
])('the config %j is refused', (config, message) => {
  expect(issues(configSchema, config)).toContain(message);
});

test.each([
  [{ topic: 'plants/{asset}/{tag}' }],
  [{ topic: 'a/+/b/#', tag_name: 'x', asset_id: 'pump', json_path: '$.v', timestamp_path: '$.t', data_type: 'number', min: 0, max: 0 }],
])('the tag %j is taken', (tag) => {
  expect(issues(tagSchema, tag)).toBe('');
});

test.each([
  [{ topic: 'a' }, 'tag_name: is needed unless the topic captures {tag}'],
  [{ tag_name: 'x' }, 'topic: '],
  [{ topic: 'a/{tag}', tag_name: 'x' }, 'tag_name: is captured'],
  [{ topic: '{asset}', tag_name: 'x', asset_id: 'y' }, 'asset_id: is captured'],
  [{ topic: 'a+', tag_name: 'x' }, 'topic: level "a+"'],
  [{ topic: 'a', tag_name: 'x', json_path: 'v' }, 'json_path: must be a JSON path (RFC 9535)'],
  [{ topic: 'a', tag_name: 'x', timestamp_path: '$.t' }, 'timestamp_path: needs a json_path'],
  [{ topic: 'a', tag_name: 'x', min: 2, max: 1 }, 'min: must not be above "max"'],
  [
    { topic: '{tenant}/{asset}/{tag}', writable: true, write_topic: 'cmd/{asset}/{tag}' },
    'writable: is not possible where the topic captures {tenant}',
  ],
])('the tag %j is refused', (tag, message) => {
  expect(issues(tagSchema, tag)).toContain(message);
});

test.each([
  [{ broker_url: 'mqtt://broker.plant:1884', username: 'u', password: 'p' }, 'mqtt://broker.plant:1884'],
  [{ broker_url: 'wss://broker/mqtt?token=secret' }, 'wss://broker/mqtt'],
  [{ broker_url: 'mqtts://[::1]:8883/' }, 'mqtts://[::1]:8883'],
])('the endpoint of %j is %s', (config, expected) => {
  expect(endpoint(configSchema.parse(config))).toBe(expected);
});
