/** Secrets that a file names: where they come from, what is said when they are missing, and that nothing ever shows them. */
import { describe, expect, test } from 'vitest';
import type { LoadedConfig } from '../../src/config/loaded.ts';
import { configFolder } from './config-folder.ts';

const OPCUA = (password: string): string =>
  `sources:\n- name: A\n  type: opcua\n  config:\n    endpoint: opc.tcp://plc:4840\n    authentication: { type: username_password, username: u, password: "${password}" }\n`;

function passwordOf(config: LoadedConfig): unknown {
  const [source] = config.sources;
  return (source as { readonly config: { readonly authentication: { readonly password: string } } }).config.authentication.password;
}

describe('a secret is taken', () => {
  test('from the environment, also as a part of a text and more than once', () => {
    const config = configFolder().load(OPCUA(`a\${env:ONE}b\${env:TWO}\${env:ONE}`), { env: { ONE: '1', TWO: '2' } });
    expect(passwordOf(config)).toBe('a1b21');
  });

  test.each(['hush\n', 'hush\r\n', 'hush'])('from a file, without the newline at its end: %j', (content) => {
    const folder = configFolder();
    const file = folder.write('secret', content);
    expect(passwordOf(folder.load(OPCUA(`\${file:${file}}`)))).toBe('hush');
    expect(passwordOf(folder.load(OPCUA(`\${file:secret}`)))).toBe('hush');
  });

  test('from a systemd credential', () => {
    const folder = configFolder();
    folder.write('credentials/cell', 'hush\n');
    const config = folder.load(OPCUA(`\${cred:cell}`), { env: { CREDENTIALS_DIRECTORY: folder.path('credentials') } });
    expect(passwordOf(config)).toBe('hush');
  });

  test('as it is: what looks like a reference in it is no reference', () => {
    const config = configFolder().load(OPCUA(`\${env:ONE}`), { env: { ONE: `\${env:TWO}$\${` } });
    expect(passwordOf(config)).toBe(`\${env:TWO}$\${`);
  });

  test('and a doubled dollar is a plain one', () => {
    expect(passwordOf(configFolder().load(OPCUA(`$\${env:ONE}`)))).toBe(`\${env:ONE}`);
  });
});

describe('a secret is missing', () => {
  const place = 'config.yaml:6:71 sources.0.config.authentication.password – the secret';
  test.each([
    [`\${env:NONE}`, 'the environment variable NONE is not set'],
    [`\${env:EMPTY}`, 'the environment variable EMPTY is empty'],
    [`\${file:/nonexistent/secret}`, 'the file /nonexistent/secret cannot be read: there is no such file'],
    [`\${file:/proc/self}`, 'the file /proc/self cannot be read: it is not a regular file'],
    [`\${cred:cell}`, 'there are no systemd credentials here ($CREDENTIALS_DIRECTORY is not set)'],
    [`\${NONE}`, `write \${env:NAME}, \${file:/path} or \${cred:NAME}; for a plain "\${" write "$\${"`],
    [`\${vault:x}`, `write \${env:NAME}, \${file:/path} or \${cred:NAME}; for a plain "\${" write "$\${"`],
    [`\${env:}`, `write \${env:NAME}, \${file:/path} or \${cred:NAME}; for a plain "\${" write "$\${"`],
  ])('%s', (reference, reason) => {
    expect(configFolder().faults(OPCUA(reference), { env: { EMPTY: '' } })).toEqual([`${place} ${reference} is missing: ${reason}`]);
  });

  test.each(['../config.yaml', '..', 'a/b'])('a credential that would leave its folder: %s', (name) => {
    const folder = configFolder();
    const faults = folder.faults(OPCUA(`\${cred:${name}}`), { env: { CREDENTIALS_DIRECTORY: folder.path('.') } });
    expect(faults).toEqual([`${place} \${cred:${name}} is missing: a credential has a plain file name`]);
  });

  test('a file that is too large or empty', () => {
    const folder = configFolder();
    folder.write('large', 'x'.repeat(64 * 1024 + 1));
    folder.write('empty', '\n');
    expect(folder.faults(OPCUA(`\${file:large}`))[0]).toContain(`cannot be read: it is larger than 64 KiB`);
    expect(folder.faults(OPCUA(`\${file:empty}`))[0]).toContain('is empty');
  });
});

describe('a plaintext secret', () => {
  const refused =
    'config.yaml:6:71 sources.0.config.authentication.password – a plaintext secret in a file that others on this machine can read; ' +
    `chmod 600 the file, or name the secret: \${env:NAME}, \${file:/path} or \${cred:NAME}`;

  test.each([0o640, 0o604, 0o644])('is refused in a file of mode %o', (mode) => {
    expect(configFolder().faults(OPCUA('hush'), { mode })).toEqual([refused]);
  });

  test.each([0o600, 0o400, 0o620])('may stand in a file of mode %o', (mode) => {
    expect(passwordOf(configFolder().load(OPCUA('hush'), { mode }))).toBe('hush');
  });

  test('a named one may stand in a file that all can read, an unclosed reference may not', () => {
    expect(passwordOf(configFolder().load(OPCUA(`\${env:ONE}`), { mode: 0o644, env: { ONE: '1' } }))).toBe('1');
    expect(configFolder().faults(OPCUA(`hush\${`), { mode: 0o644 })).toEqual([refused]);
    expect(configFolder().faults(OPCUA(`$\${hush}`), { mode: 0o644 })).toEqual([refused]);
  });

  test('in a URL is found too, in the metadata of a twin it is none', () => {
    const yaml =
      'sources:\n- { name: A, type: mqtt, config: { broker_url: "mqtt://user:hush@b:1883" }, tags: [{ topic: t, tag_name: t }] }\n';
    expect(configFolder().faults(yaml, { mode: 0o644 })[0]).toContain('sources.0.config.broker_url – a plaintext secret');
    expect(configFolder().load('twins: [{ id: a, metadata: { token: ring, n: { password: x } } }]', { mode: 0o644 }).twins).toHaveLength(1);
  });
});

test('no message shows a secret, whatever is wrong with it', () => {
  const env = { NAME: 'hush-hush' };
  const yaml = `tenants: [{ id: "\${env:NAME}", name: a }, { id: "\${env:NAME}", name: b }]\ntwins: [{ id: a, type: "\${env:NAME}", tenant: "x\${env:NAME}" }]\nlog: { level: "\${env:NAME}" }\n`;
  const withLevel = configFolder().faults(yaml, { env }).join('\n');
  const without = configFolder().faults(yaml.replace(/log.*/, ''), { env }).join('\n');
  expect(withLevel).toContain('log.level');
  expect(without).toContain('duplicate tenant id "********"');
  expect(without).toContain('unknown twin type "********"');
  expect(withLevel + without).not.toContain('hush');
});

test.each(['password: "x" hush: y', 'password: |hush\n', 'password: "x\n}hush', '--- >hush\n', 'password: "\\hush"', '{ password: [}hush'])(
  'no message about the syntax shows a piece of the file: %j',
  (yaml) => {
    const text = configFolder().faults(yaml).join('\n');
    expect(text).not.toContain('hush');
  },
);
