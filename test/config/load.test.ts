/** What a right configuration becomes: defaults, ids, the terms of the house. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, expectTypeOf, test } from 'vitest';
import type { LoadedConfig, SourceSpec, TwinSpec } from '../../src/config/loaded.ts';
import { deriveSourceId } from '../../src/config/source-id.ts';
import type { SourceSpec as IngestSource } from '../../src/ingest/source.ts';
import type { RetentionPolicy } from '../../src/store/telemetry.ts';
import type { Twin } from '../../src/twin/twin.ts';
import { configFolder } from './config-folder.ts';

const MINIMAL = `sources:\n- name: Pump house\n  type: modbus\n  config: { host: plc }\n  tags: [{ tag_name: t, register_type: coil, address: 0 }]\n`;

test('the shortest file has a default for everything else', () => {
  const { places: _, ...config } = configFolder().load(MINIMAL);
  expect(config).toEqual({
    revision: createHash('sha256').update(MINIMAL).digest('hex').slice(0, 12),
    dataDir: '/var/lib/twinbox',
    listen: { host: '127.0.0.1', port: 3000 },
    allowPlaintext: false,
    rateLimit: { perMinute: 6_000, burst: 600 },
    corsOrigins: [],
    tokens: [],
    retention: { maxBytes: 20e9, reserveBytes: 256e6 },
    storeProfile: 'balanced',
    tenants: [{ id: 'default', name: 'Default' }],
    twinTypes: [],
    autoTwins: true,
    sources: [
      {
        id: deriveSourceId('default', 'Pump house'),
        tenant: 'default',
        name: 'Pump house',
        type: 'modbus',
        enabled: true,
        managedBy: 'config',
        config: expect.objectContaining({ host: 'plc', port: 502, unit_id: 1, polling_interval_ms: 1000, timeout_ms: 2000 }),
        tags: [{ tag_name: 't', register_type: 'coil', address: 0, writable: false }],
      },
    ],
    twins: [],
    channels: [],
    egressAllow: expect.arrayContaining([{ address: '10.0.0.0', family: 'ipv4', prefix: 8 }]),
    filesAllow: ['/etc/twinbox/certs'],
    serialAllow: ['/dev/serial/by-id', '/dev/serial/by-path'],
    profilesDir: expect.stringMatching(/\/profiles$/),
    alertRules: [],
    logLevel: 'info',
  });
});

test('every part arrives in the terms of the house', () => {
  const folder = configFolder();
  const config = folder.load(`
data_dir: data
api:
  listen: "[::1]:8080"
  tokens: [{ name: scada, sha256: ${'ab'.repeat(32)}, scopes: [read:telemetry], expires_at: 2027-01-31T00:00:00Z }]
store: { profile: sd-card, retention: { raw: 90d, rollups: 520w, max_bytes: 1.5TiB, reserve_bytes: 1GB } }
tenants: [{ id: north, name: North }, { id: default, name: Home }]
twin_types: [kiln]
auto_twins: false
log: { level: debug }
twins:
- id: k
  type: kiln
  tenant: north
  description: d
  metadata: { a: [1, { b: null }] }
  sensors:
  - { id: s }
  - { id: t, name: T, unit: K, description: d, min_value: 0, max_value: 9, binding: { tag_name: u } }
  - { id: v, binding: { asset_id: k, tag_name: v } }
  actuators: [{ id: p, type: binary }, { id: q, type: continuous, binding: { data_source_id: api, tag_name: q, min: -1, max: 2.5 } }]
alert_rules:
- name: Hot
  id: hot
  tenant: north
  severity: critical
  data_source_id: api
  condition: { tag_name: t, operator: gt, value: 80, duration_seconds: 1.5, asset_id: k, clear_value: 70, no_data_seconds: 60 }
  notifications: [mail, mail]
  enabled: false
- { name: Off, condition: { tag_name: t, operator: outside, value: [1, 2] } }
`);
  const file = folder.path('config.yaml');
  expect(config).toEqual({
    places: {
      data_dir: `${file}:2:1`,
      'api.listen': `${file}:4:3`,
      'api.tls': `${file}:4:3`,
      'api.allow_plaintext': `${file}:4:3`,
      'api.rate_limit': `${file}:4:3`,
      'api.cors': `${file}:4:3`,
      'store.profile': `${file}:6:10`,
      auto_twins: `${file}:9:1`,
    },
    dataDir: folder.path('data'),
    listen: { host: '::1', port: 8080 },
    allowPlaintext: false,
    rateLimit: { perMinute: 6_000, burst: 600 },
    corsOrigins: [],
    tokens: [{ name: 'scada', sha256: 'ab'.repeat(32), scopes: ['read:telemetry'], tenant: 'default', expiresMs: Date.UTC(2027, 0, 31) }],
    retention: { maxAgeMs: 90 * 86_400_000, rollupMaxAgeMs: 3_640 * 86_400_000, maxBytes: 1.5 * 2 ** 40, reserveBytes: 1e9 },
    storeProfile: 'sd-card',
    tenants: [
      { id: 'default', name: 'Home' },
      { id: 'north', name: 'North' },
    ],
    twinTypes: ['kiln'],
    autoTwins: false,
    sources: [],
    alertRules: [
      {
        tenant: 'north',
        id: 'hot',
        name: 'Hot',
        severity: 'critical',
        dataSourceId: 'api',
        condition: { tagName: 't', operator: 'gt', value: 80, durationMs: 1_500, assetId: 'k', clearValue: 70, noDataMs: 60_000 },
        channels: ['mail'],
        enabled: false,
      },
      {
        tenant: 'default',
        id: 'ar-6izgnkz2dbsm',
        name: 'Off',
        severity: 'warning',
        condition: { tagName: 't', operator: 'outside', value: [1, 2], durationMs: 0 },
        channels: [],
        enabled: true,
      },
    ],
    twins: [
      {
        tenant: 'north',
        id: 'k',
        name: 'k',
        description: 'd',
        type: 'kiln',
        status: 'active',
        managedBy: 'config',
        metadata: { a: [1, { b: null }] },
        sensors: [
          { id: 's', name: 's', unit: '', binding: { asset: 'k', tag: 's' }, bindingExplicit: false },
          {
            id: 't',
            name: 'T',
            description: 'd',
            unit: 'K',
            minValue: 0,
            maxValue: 9,
            binding: { asset: 'k', tag: 'u' },
            bindingExplicit: true,
          },
          { id: 'v', name: 'v', unit: '', binding: { asset: 'k', tag: 'v' }, bindingExplicit: false },
        ],
        actuators: [
          { id: 'p', name: 'p', type: 'binary' },
          { id: 'q', name: 'q', type: 'continuous', binding: { source: 'api', asset: 'k', tag: 'q', min: -1, max: 2.5 } },
        ],
      },
    ],
    channels: [],
    egressAllow: expect.arrayContaining([{ address: '10.0.0.0', family: 'ipv4', prefix: 8 }]),
    filesAllow: ['/etc/twinbox/certs'],
    serialAllow: ['/dev/serial/by-id', '/dev/serial/by-path'],
    profilesDir: folder.path('profiles'),
    logLevel: 'debug',
    revision: createHash('sha256')
      .update(readFileSync(folder.path('config.yaml')))
      .digest('hex')
      .slice(0, 12),
  });
  expect(dirname(config.dataDir)).toBe(folder.path('.').replace(/\/\.?$/, ''));
});

describe('an id that is made from the name', () => {
  test('is the same at every start, of the form that the API uses, and another in another tenant', () => {
    expect(deriveSourceId('default', 'Press line PLC')).toBe(deriveSourceId('default', 'Press line PLC'));
    expect(deriveSourceId('default', 'Press line PLC')).toMatch(/^ds-[a-z2-7]{12}$/);
    expect(deriveSourceId('north', 'Press line PLC')).not.toBe(deriveSourceId('default', 'Press line PLC'));
  });

  test('is what it was in the first release: history hangs on it', () => {
    // printf default/A | sha256sum, its first 60 bits in base32
    expect(deriveSourceId('default', 'A')).toBe('ds-kjgljhqfp6zf');
  });

  test('cannot be taken by another source', () => {
    const yaml = `sources:\n- { name: A, type: simulator }\n- { name: B, id: ${deriveSourceId('default', 'A')}, type: simulator }\n`;
    expect(configFolder().faults(yaml)[0]).toContain('sources.1.id – duplicate source id');
  });
});

describe('text in many forms', () => {
  test('with a byte-order mark and Windows line ends', () => {
    expect(configFolder().load(`\uFEFF${MINIMAL.replaceAll('\n', '\r\n')}`).sources).toHaveLength(1);
    expect(configFolder().faults('\uFEFFlog:\r\n  levl: info\r\n')).toEqual([
      'config.yaml:2:3 log.levl – unknown key "levl", did you mean "level"?',
    ]);
  });

  test('with anchors and aliases', () => {
    const yaml = `sources:\n- { name: A, type: modbus, config: &c { host: plc }, tags: &t [{ tag_name: t, register_type: coil, address: 0 }] }\n- { name: B, type: modbus, config: *c, tags: *t }\n`;
    const { sources } = configFolder().load(yaml);
    expect(sources[1]?.config).toEqual(sources[0]?.config);
    expect(sources[1]?.tags).toEqual(sources[0]?.tags);
  });

  test('with an alias of an anchor that was given anew', () => {
    const yaml = 'twins:\n- { id: &a x }\n- { id: &a y }\n- { id: z, name: *a }\n- { id: *a }\n';
    expect(configFolder().faults(yaml)).toEqual(['config.yaml:5:9 twins.3.id – duplicate twin id "y" (first in line 3)']);
  });

  test('with JSON', () => {
    expect(configFolder().load('{"log": {"level": "warn"}, "sources": []}').logLevel).toBe('warn');
  });
});

describe('a serial line', () => {
  const source = (name: string, serial: string) =>
    `  - { name: ${name}, type: modbus, config: { transport: rtu, unit_id: 2, serial: ${serial} } }`;

  test('has the same settings for all sources on it; others are named with both places', () => {
    const yaml = [
      'sources:',
      source('a', '{ path: /dev/ttyUSB0 }'),
      source('b', '{ path: /dev/ttyUSB0, baud_rate: 9600 }'),
      source('c', '{ path: /dev/ttyUSB1, parity: even }'),
      source('d', '{ path: /dev/ttyUSB0, parity: even }'),
    ];
    expect(configFolder().faults(yaml.join('\n'))).toEqual([
      expect.stringMatching(
        /^config\.yaml:5:\d+ sources\.3\.config\.serial\.path – \/dev\/ttyUSB0 has 9600 baud, parity even, 1 stop bit here, but 9600 baud, parity none, 1 stop bit in line 2$/,
      ),
    ]);
  });
});

describe('a battery profile', () => {
  const yaml = `sources:\n- name: Packs\n  type: mqtt\n  profile: mine\n  config: { broker_url: "mqtt://b:1883", topics: ["a/{asset}", "b/{asset}"] }\n`;
  const profile =
    'name: mine\ntransport: mqtt\nfields:\n- { tag: voltage_v, path: $.u, unit: V, scale: 0.1 }\n- { tag: "cell_{number}_v", path: "$.c[{index}]", repeat: 2 }\n';

  test('beside the file becomes the tags of its source', () => {
    const folder = configFolder();
    folder.write('profiles/mine.yaml', profile);
    const tags = folder.load(yaml).sources[0]?.tags;
    expect(tags?.map((tag) => [tag.tag_name, (tag as { topic?: string }).topic])).toEqual([
      ['voltage_v', 'a/{asset}'],
      ['cell_1_v', 'a/{asset}'],
      ['cell_2_v', 'a/{asset}'],
      ['voltage_v', 'b/{asset}'],
      ['cell_1_v', 'b/{asset}'],
      ['cell_2_v', 'b/{asset}'],
    ]);
    expect(tags?.[0]).toMatchObject({ json_path: '$.u', unit: 'V', scale: 0.1, writable: false });
  });

  test('that comes with twinbox is found too, and one beside the file goes first', () => {
    const folder = configFolder();
    const packaged = yaml.replace('mine', 'generic_json');
    expect(folder.load(packaged).sources[0]?.tags.length).toBeGreaterThan(20);
    folder.write('profiles/generic_json.yaml', profile);
    expect(folder.load(packaged).sources[0]?.tags).toHaveLength(6);
  });

  test('that is nowhere, or would lie elsewhere, is told at its name', () => {
    const folder = configFolder();
    expect(folder.faults(yaml)).toEqual([
      'config.yaml:4:12 sources.0.profile – there is no profile "mine": neither profiles/mine.yaml nor one that comes with twinbox',
    ]);
    expect(folder.faults(yaml.replace('mine', '../mine'))).toEqual([
      'config.yaml:4:12 sources.0.profile – must be the name of a profile: letters, digits, "_" and "-"',
    ]);
  });

  test('with faults is told once, by its own file, line and column', () => {
    const folder = configFolder();
    folder.write('profiles/mine.yaml', profile.replace('scale', 'scael').replace('transport: mqtt', 'transport: can'));
    const twice = yaml + yaml.replace('sources:\n', '').replace('Packs', 'More packs');
    expect(folder.faults(twice)).toEqual([
      'profiles/mine.yaml:2:12 transport – must be mqtt',
      'profiles/mine.yaml:4:41 fields.0.scael – unknown key "scael", did you mean "scale"?',
    ]);
  });
});

test('the shapes that configuration may not import are those of the house', () => {
  expectTypeOf<SourceSpec>().toExtend<IngestSource>();
  expectTypeOf<TwinSpec>().toExtend<Omit<Twin, 'revision' | 'createdMs' | 'updatedMs' | 'hiddenTags'>>();
  expectTypeOf<LoadedConfig['retention']>().toExtend<RetentionPolicy>();
});

test('a limit on calls may be set, set in part, or taken away', () => {
  const limit = (text: string) => configFolder().load(`api: { rate_limit: ${text} }\nsources: []\n`).rateLimit;
  expect(limit('off')).toBeNull();
  expect(limit('{ per_minute: 60 }')).toEqual({ perMinute: 60, burst: 600 });
  expect(limit('{ per_minute: 60, burst: 5 }')).toEqual({ perMinute: 60, burst: 5 });
});

test.each(['"*"', 'https://hmi.plant/', 'hmi.plant', 'https://HMI.plant', 'ftp://hmi.plant', 'https://user@hmi.plant', 'null'])(
  '%s is no origin that could be listed',
  (origin) => {
    expect(configFolder().faults(`api: { cors: { origins: [${origin}] } }\nsources: []\n`)).toHaveLength(1);
  },
);

test('origins are listed as browsers send them', () => {
  const origins = ['https://hmi.plant:8443', 'http://10.0.0.4'];
  expect(configFolder().load(`api: { cors: { origins: ${JSON.stringify(origins)} } }\nsources: []\n`).corsOrigins).toEqual(origins);
});
