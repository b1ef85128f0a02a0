/** What a wrong configuration file is told: the place, the key and what to do. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { configFolder } from './config-folder.ts';

const SOURCE = 'type: modbus, config: { host: plc }';

interface Case {
  readonly name: string;
  readonly yaml: string;
  readonly faults: readonly string[];
}

function run(cases: readonly Case[]): void {
  test.each(cases)('$name', ({ yaml, faults }) => {
    expect(configFolder().faults(yaml)).toEqual(faults);
  });
}

describe('the file', () => {
  run([
    {
      name: 'is empty',
      yaml: '',
      faults: ['config.yaml:1:1 – the file is empty; the shortest useful one has a source with a tag'],
    },
    {
      name: 'holds comments only',
      yaml: '# nothing\n',
      faults: ['config.yaml:1:1 – the file is empty; the shortest useful one has a source with a tag'],
    },
    { name: 'is a list', yaml: '- a\n- b\n', faults: ['config.yaml:1:1 – the file must hold a mapping: lines such as "sources:"'] },
    { name: 'is a text', yaml: 'hello', faults: ['config.yaml:1:1 – the file must hold a mapping: lines such as "sources:"'] },
    {
      name: 'holds two documents',
      yaml: 'auto_twins: true\n---\nauto_twins: false\n',
      faults: ['config.yaml:2:1 – the file holds more than one document; only one is allowed'],
    },
    {
      name: 'is indented by a tab',
      yaml: 'api:\n\tlisten: 127.0.0.1:3000\n',
      faults: ['config.yaml:2:1 – a tab is used for indentation; YAML takes spaces only'],
    },
    {
      name: 'has a key twice',
      yaml: 'auto_twins: true\nlog: { level: info, level: warn }\nauto_twins: false\n',
      faults: ['config.yaml:2:21 – duplicate key "level"', 'config.yaml:3:1 – duplicate key "auto_twins"'],
    },
    {
      name: 'uses a tag',
      yaml: 'data_dir: !path /tmp\n',
      faults: ['config.yaml:1:11 – tags such as !name are not used in this file'],
    },
    {
      name: 'uses an alias without its anchor',
      yaml: 'data_dir: *nowhere\n',
      faults: ['config.yaml:1:11 – there is no anchor &nowhere before this alias'],
    },
    {
      name: 'closes no bracket',
      yaml: 'api: { listen: x\n',
      faults: ['config.yaml:2:1 – not valid YAML: Flow map in block collection must be sufficiently indented and end with a }'],
    },
  ]);

  test('cannot be found', () => {
    const file = configFolder().path('none.yaml');
    expect(loadConfig(file, {})).toMatchObject({
      faults: [{ file, line: 1, column: 1, path: '', message: 'the file cannot be read: there is no such file' }],
    });
  });

  test('is a folder', () => {
    const folder = configFolder();
    mkdirSync(folder.path('folder.yaml'));
    expect(loadConfig(folder.path('folder.yaml'), {})).toMatchObject({
      faults: [{ message: 'the file cannot be read: it is not a regular file' }],
    });
  });

  test('is a pipe that nobody writes to, which must not block', () => {
    const file = configFolder().path('pipe.yaml');
    execFileSync('mkfifo', [file]);
    expect(loadConfig(file, {})).toMatchObject({ faults: [{ message: 'the file cannot be read: it is not a regular file' }] });
  });

  test.skipIf(process.getuid?.() === 0)('may not be read', () => {
    const file = configFolder().write('config.yaml', 'sources: []', 0o000);
    expect(loadConfig(file, {})).toMatchObject({ faults: [{ message: 'the file cannot be read: permission denied' }] });
  });

  test('has a name that no file can have', () => {
    expect(loadConfig('/tmp/a\0b', {})).toMatchObject({
      faults: [{ message: 'the file cannot be read: it cannot be read (ERR_INVALID_ARG_VALUE)' }],
    });
  });

  test('is not UTF-8', () => {
    expect(configFolder().faults(Buffer.from([0x61, 0xff, 0xfe]))).toEqual([
      'config.yaml:1:1 – the file cannot be read: it is not UTF-8 text',
    ]);
  });

  test('is larger than 8 MiB', () => {
    const faults = configFolder().faults('#'.repeat(8 * 1024 * 1024 + 1));
    expect(faults).toEqual(['config.yaml:1:1 – the file cannot be read: it is larger than 8192 KiB']);
  });

  test('multiplies itself by aliases', () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) => `  l${level + 1}: &l${level + 1} [${Array(10).fill(`*l${level}`).join(', ')}]\n`,
    );
    const yaml = `twins:\n - id: a\n   metadata:\n    l0: &l0 lol\n${levels.map((line) => `  ${line}`).join('')}`;
    expect(configFolder().faults(yaml)).toEqual([
      'config.yaml:1:1 – aliases (*name) multiply the file: together they stand for more than 100 copies of a value',
    ]);
  });

  test.each(['twins: &a [*a]', 'twins:\n- id: a\n  metadata: &m { m: *m }\n', 'twins: &a [*a, *a, *a, [*a, *a]]'])(
    'contains itself: %s',
    (yaml) => {
      expect(configFolder().faults(yaml)).toEqual(['config.yaml:1:1 – values are nested deeper than 64 levels']);
    },
  );

  test.each([
    ['[', 100_000],
    ['{a: ', 50_000],
    ['- ', 100_000],
    ['? ', 100_000],
  ])('is nested too deeply by %s', (opening, count) => {
    expect(configFolder().faults(opening.repeat(count))).toEqual(['config.yaml:1:1 – values are nested deeper than 64 levels']);
  });

  test('is deep only where an alias stands', () => {
    const deep = (inner: string): string => '['.repeat(40) + inner + ']'.repeat(40);
    expect(configFolder().faults(`twins:\n- &a ${deep('x')}\n- ${deep('*a')}\n`)).toEqual([
      'config.yaml:1:1 – values are nested deeper than 64 levels',
    ]);
  });

  test('grows beyond all need by aliases of one long list', () => {
    const list = `[${Array(25_000).fill('1').join(',')}]`;
    expect(configFolder().faults(`twins:\n- &long ${list}\n${'- *long\n'.repeat(90)}`)).toEqual([
      'config.yaml:1:1 – the file has more than 2000000 values, counting aliases',
    ]);
  });

  test('has twenty thousand unknown keys, of which the first are told', () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `k${index}: 1\n`).join('');
    const faults = configFolder().faults(keys);
    expect(faults).toHaveLength(101);
    expect(faults).toContain('config.yaml:1:1 – and 19900 more unknown keys');
  });
});

describe('keys and values', () => {
  run([
    {
      name: 'an unknown key is told with the one that was meant',
      yaml: `sources:\n- { name: A, ${SOURCE}, enabeld: false }\n`,
      faults: ['config.yaml:2:51 sources.0.enabeld – unknown key "enabeld", did you mean "enabled"?'],
    },
    {
      name: 'an unknown key that is like no other is told with those that are known',
      yaml: 'log: { colour: red }\n',
      faults: ['config.yaml:1:8 log.colour – unknown key "colour"; known here: level'],
    },
    {
      name: 'a key of the prototype is unknown too',
      yaml: 'api: { __proto__: { listen: x }, constructor: 1 }\n',
      faults: [
        'config.yaml:1:8 api.__proto__ – unknown key "__proto__"; known here: listen, allow_plaintext, tls, rate_limit, cors, tokens',
        'config.yaml:1:34 api.constructor – unknown key "constructor"; known here: listen, allow_plaintext, tls, rate_limit, cors, tokens',
      ],
    },
    {
      name: 'an alert rule whose condition makes no sense, or that names what is not there',
      yaml: [
        'alert_rules:',
        '- { name: a, condition: { tag_name: t, operator: gt, value: [1, 2] } }',
        '- { name: b, condition: { tag_name: t, operator: outside, value: [2, 1] } }',
        '- { name: c, condition: { tag_name: t, operator: gt, value: 1, clear_value: 2 } }',
        '- { name: d, condition: { tag_name: t, operator: over, value: 1 } }',
        '',
      ].join('\n'),
      faults: [
        'config.yaml:2:61 alert_rules.0.condition.value – must be a number',
        'config.yaml:3:66 alert_rules.1.condition.value – the first number must not be above the second',
        'config.yaml:4:77 alert_rules.2.condition.clear_value – must not be above the value, 1',
        'config.yaml:5:50 alert_rules.3.condition.operator – must be one of gt, gte, lt, lte, eq, neq, between, outside, rate_of_change',
      ],
    },
    {
      name: 'alert rules that are the same twice, or of what does not exist',
      yaml: [
        'alert_rules:',
        '- { name: a, condition: { tag_name: t, operator: gt, value: 1 } }',
        '- { name: a, condition: { tag_name: t, operator: gt, value: 1 } }',
        '- { name: b, tenant: north, condition: { tag_name: t, operator: gt, value: 1 } }',
        '- { name: c, data_source_id: ds-1, condition: { tag_name: t, operator: gt, value: 1 } }',
        '',
      ].join('\n'),
      faults: [
        'config.yaml:3:11 alert_rules.1.name – duplicate alert rule name "a" (first in line 2)',
        'config.yaml:4:22 alert_rules.2.tenant – unknown tenant "north"; list it in tenants',
        'config.yaml:5:30 alert_rules.3.data_source_id – there is no source with the id "ds-1"',
      ],
    },
    {
      name: 'a part that does not exist yet is unknown',
      yaml: 'packs: []\n',
      faults: [
        'config.yaml:1:1 packs – unknown key "packs"; known here: data_dir, api, store, security, tenants, twin_types, auto_twins, sources, twins, notifications, alert_rules, log',
      ],
    },
    {
      name: 'a value of the wrong type',
      yaml: 'sources:\n  - name: A\n    type: modbus\n    config: { host: plc, port: "502" }\n',
      faults: ['config.yaml:4:32 sources.0.config.port – expected number, got string'],
    },
    {
      name: 'a value in the wrong shape',
      yaml: 'sources: { name: A }\ntwins:\nlog: [info]\nauto_twins: no\n',
      faults: [
        'config.yaml:1:10 sources – expected list, got mapping',
        'config.yaml:2:7 twins – expected list, got nothing',
        'config.yaml:3:6 log – expected mapping, got list',
        'config.yaml:4:13 auto_twins – expected boolean, got string',
      ],
    },
    {
      name: 'numbers outside their range or with a fraction',
      yaml: 'sources:\n- name: A\n  type: modbus\n  config:\n    host: plc\n    unit_id: 256\n    port: 0\n    timeout_ms: 1000.5\n    polling_interval_ms: .nan\n',
      faults: [
        'config.yaml:6:14 sources.0.config.unit_id – must be at most 255',
        'config.yaml:7:11 sources.0.config.port – must be at least 1',
        'config.yaml:8:17 sources.0.config.timeout_ms – expected whole number, got fraction',
        'config.yaml:9:26 sources.0.config.polling_interval_ms – expected number, got NaN',
      ],
    },
    {
      name: 'a missing key is told where its parent starts',
      yaml: 'sources:\n  - type: modbus\n    config: {}\n    tags: [{ tag_name: a }]\n',
      faults: [
        'config.yaml:2:5 sources.0.name – is missing',
        'config.yaml:3:13 sources.0.config.host – is required by transport tcp',
        'config.yaml:4:12 sources.0.tags.0.register_type – is missing',
        'config.yaml:4:12 sources.0.tags.0.address – is missing',
      ],
    },
    {
      name: 'an unknown type of source names the known ones and hides what follows from it',
      yaml: 'sources:\n- { name: A, type: modbsu, config: { nonsense: 1 } }\n- { name: B }\n- 7\n',
      faults: [
        'config.yaml:2:20 sources.0.type – must be one of opcua, modbus, mqtt, simulator, derived; did you mean modbus?',
        'config.yaml:3:3 sources.1.type – is missing; must be one of opcua, modbus, mqtt, simulator, derived',
        'config.yaml:4:3 sources.2 – expected mapping, got number',
      ],
    },
    {
      name: 'only the chosen type of source complains',
      yaml: 'sources:\n- name: A\n  type: opcua\n  config: { endpoint: "opc.tcp://plc:4840", unit_id: 1 }\n  tags: [{ tag_name: a, address: 1, node_id: "ns=2;i=1" }]\n',
      faults: [
        'config.yaml:4:45 sources.0.config.unit_id – unknown key "unit_id"; known here: endpoint, security_mode, security_policy, allow_insecure, authentication, subscription',
        'config.yaml:5:25 sources.0.tags.0.address – unknown key "address"; known here: tag_name, asset_id, unit, polling_interval_ms, deadband, writable, write_min, write_max, scale, offset, node_id, sampling_interval_ms, queue_size',
      ],
    },
    {
      name: 'values inside an alias are told where the anchor stands',
      yaml: `sources:\n- { name: A, ${SOURCE}, tags: &t [{ tag_name: a, register_type: coil, address: x }] }\n- { name: B, ${SOURCE}, tags: *t }\n`,
      faults: [
        'config.yaml:2:106 sources.0.tags.0.address – expected number, got string',
        'config.yaml:2:106 sources.1.tags.0.address – expected number, got string',
      ],
    },
    {
      name: 'sizes that are none',
      yaml: 'store:\n  retention: { max_bytes: 20, reserve_bytes: 5 GB }\n',
      faults: [
        'config.yaml:2:27 store.retention.max_bytes – expected string, got number',
        'config.yaml:2:46 store.retention.reserve_bytes – must be a size such as 256MB, 1GB or 512MiB; 0B for none',
      ],
    },
    {
      name: 'a store that has no room for a day',
      yaml: 'store: { retention: { max_bytes: 255MB } }\n',
      faults: ['config.yaml:1:34 store.retention.max_bytes – must be unlimited or a size such as 20GB, 512MB or 4GiB, at least 256MB'],
    },
    {
      name: 'aggregates that go before their samples',
      yaml: 'store: { retention: { raw: 90d, rollups: 89d } }\n',
      faults: ['config.yaml:1:42 store.retention.rollups – must not be shorter than raw: aggregates outlive their samples'],
    },
    {
      name: 'retention that is no age',
      yaml: 'store: { retention: { raw: 5y } }\n',
      faults: ['config.yaml:1:28 store.retention.raw – must be unlimited or an age such as 36h, 90d or 52w'],
    },
    {
      name: 'a token with a wrong hash, scope and time',
      yaml: 'api:\n  tokens:\n  - name: a\n    sha256: ABCD\n    scopes: [read:telemetri]\n    expires_at: tomorrow\n',
      faults: [
        'config.yaml:4:13 api.tokens.0.sha256 – must be the SHA-256 of the token, 64 hexadecimal digits in lower case',
        'config.yaml:5:14 api.tokens.0.scopes.0 – must be one of read:assets, write:assets, read:telemetry, write:telemetry, read:alerts, write:alerts, read:ml, write:ml, write:control, read:packs, admin; did you mean read:telemetry?',
        'config.yaml:6:17 api.tokens.0.expires_at – must be a time such as 2027-01-31T00:00:00Z',
      ],
    },
    {
      name: 'limits the wrong way round, and too much metadata',
      yaml: `twins:\n- id: a\n  metadata: { x: "${'y'.repeat(16_400)}" }\n  sensors: [{ id: s, min_value: 2, max_value: 1 }]\n`,
      faults: [
        'config.yaml:3:13 twins.0.metadata – must be at most 16384 bytes as JSON',
        'config.yaml:4:33 twins.0.sensors.0.min_value – must not be greater than max_value (1)',
      ],
    },
  ]);

  test.each(['3000', ':3000', '127.0.0.1', '127.0.0.1:65536', '::1:3000', '[::1]', '256.0.0.1:80', '*:3000', 'a b:1', 'http://x:1', ''])(
    'the listen address "%s" is refused',
    (listen) => {
      const faults = configFolder().faults(`api:\n  listen: "${listen}"\n  allow_plaintext: true\n`);
      expect(faults).toEqual(['config.yaml:2:11 api.listen – must be HOST:PORT, such as 127.0.0.1:3000 or [::1]:3000']);
    },
  );
});

describe('the parts of a file must fit together', () => {
  run([
    {
      name: 'duplicate ids and names of sources',
      yaml: `tenants: [{ id: t, name: T }]\nsources:\n- { id: a, name: A, ${SOURCE} }\n- { id: a, name: B, ${SOURCE} }\n- { name: A, ${SOURCE} }\n- { name: A, tenant: t, ${SOURCE} }\n`,
      faults: [
        'config.yaml:4:9 sources.1.id – duplicate source id "a" (first in line 3)',
        'config.yaml:5:11 sources.2.name – duplicate source name "A" (first in line 3)',
      ],
    },
    {
      name: 'the id of the API as a source',
      yaml: `sources:\n- { id: api, name: A, ${SOURCE} }\n`,
      faults: ['config.yaml:2:9 sources.0.id – "api" is the id of readings that enter over REST; choose another'],
    },
    {
      name: 'one tag of one asset twice in a source',
      yaml: [
        `sources:\n- id: a\n  name: A\n  type: modbus\n  config: { host: plc }\n  tags:`,
        '  - { tag_name: t, register_type: coil, address: 0 }',
        '  - { tag_name: t, asset_id: p, register_type: coil, address: 1 }',
        '  - { tag_name: t, asset_id: a, register_type: coil, address: 2 }\n',
      ].join('\n'),
      faults: ['config.yaml:9:17 sources.0.tags.2.tag_name – duplicate tag of one asset "t" (first in line 7)'],
    },
    {
      name: 'twins, sensors and actuators twice, and an unknown type',
      yaml: [
        'tenants: [{ id: t, name: T }]\ntwin_types: [kiln]\ntwins:',
        '- { id: a, type: kiln, sensors: [{ id: s }, { id: s }], actuators: [{ id: s, type: binary }, { id: s, type: binary }] }',
        '- { id: a }\n- { id: a, tenant: t, type: equipmnt }\n- { id: b, type: spaceship }\n',
      ].join('\n'),
      faults: [
        'config.yaml:4:51 twins.0.sensors.1.id – duplicate sensor id of one twin "s" (first in line 4)',
        'config.yaml:4:100 twins.0.actuators.1.id – duplicate actuator id of one twin "s" (first in line 4)',
        'config.yaml:5:9 twins.1.id – duplicate twin id "a" (first in line 4)',
        'config.yaml:6:29 twins.2.type – unknown twin type "equipmnt"; did you mean "equipment"?',
        'config.yaml:7:18 twins.3.type – unknown twin type "spaceship"; known are equipment, system, process, device, facility, environment, vehicle, station, battery_pack, custom, kiln; more go into twin_types',
      ],
    },
    {
      name: 'limits of an actuator the wrong way round',
      yaml: 'twins:\n- id: a\n  actuators:\n  - { id: s, type: continuous, binding: { tag_name: s, min: 2, max: 1 } }\n',
      faults: ['config.yaml:4:61 twins.0.actuators.0.binding.min – must not be greater than max (1)'],
    },
    {
      name: 'unknown tenants, and one that is there twice',
      yaml: `tenants:\n- { id: north, name: N }\n- { id: north, name: M }\nsources:\n- { name: A, tenant: nroth, ${SOURCE} }\ntwins: [{ id: a, tenant: x }]\n`,
      faults: [
        'config.yaml:3:9 tenants.1.id – duplicate tenant id "north" (first in line 2)',
        'config.yaml:5:22 sources.0.tenant – unknown tenant "nroth"; did you mean "north"?',
        'config.yaml:6:26 twins.0.tenant – unknown tenant "x"; list it in tenants',
      ],
    },
    {
      name: 'bindings to sources that are not there, or belong to another tenant',
      yaml: [
        `tenants: [{ id: t, name: T }]\nsources:\n- { id: ds-a, name: A, ${SOURCE} }\n- { id: foreign, name: B, tenant: t, ${SOURCE} }\ntwins:\n- id: x\n  sensors:`,
        '  - { id: a, binding: { data_source_id: ds-a, tag_name: t } }',
        '  - { id: b, binding: { data_source_id: ds-b, tag_name: t } }',
        '  - { id: c, binding: { data_source_id: foreign, tag_name: t } }',
        '  - { id: d, binding: { data_source_id: api, tag_name: t } }\n',
      ].join('\n'),
      faults: [
        'config.yaml:9:41 twins.0.sensors.1.binding.data_source_id – there is no source with the id "ds-b"; did you mean "ds-a"?',
        'config.yaml:10:41 twins.0.sensors.2.binding.data_source_id – the source "foreign" belongs to another tenant',
      ],
    },
    {
      name: 'tokens with one name or one hash',
      yaml: `api:\n  tokens:\n  - { name: a, sha256: ${'a'.repeat(64)}, scopes: [admin] }\n  - { name: a, sha256: ${'a'.repeat(64)}, scopes: [admin], tenant: x }\n`,
      faults: [
        'config.yaml:4:13 api.tokens.1.name – duplicate token name "a" (first in line 3)',
        `config.yaml:4:24 api.tokens.1.sha256 – duplicate token hash "${'a'.repeat(64)}" (first in line 3)`,
        'config.yaml:4:115 api.tokens.1.tenant – unknown tenant "x"; list it in tenants',
      ],
    },
    {
      name: 'mqtt sources that read nothing, or by two ways',
      yaml: [
        'sources:\n- { name: A, type: mqtt, config: { broker_url: "mqtt://b:1883" } }',
        '- { name: B, type: mqtt, profile: generic_json, config: { broker_url: "mqtt://b:1883", topics: [t] }, tags: [{ topic: t, tag_name: t }] }',
        '- { name: C, type: mqtt, config: { broker_url: "mqtt://b:1883", topics: [t] }, tags: [{ topic: t, tag_name: t }] }',
        '- { name: D, type: mqtt, profile: generic_json, config: { broker_url: "mqtt://b:1883" } }\n',
      ].join('\n'),
      faults: [
        'config.yaml:2:3 sources.0 – has neither tags nor a profile, so nothing would be read',
        'config.yaml:3:35 sources.1.profile – stands instead of tags; leave one of them out',
        'config.yaml:4:73 sources.2.config.topics – is only for a profile; without one the topics stand at the tags',
        'config.yaml:5:57 sources.3.config.topics – is missing: a profile needs the topics where its packs report',
      ],
    },
  ]);
});
