/** `twinbox check`: what it prints and how it exits. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { runCheck } from '../../src/cli/check.ts';
import { configFolder } from '../config/config-folder.ts';

const EXAMPLES_URL = new URL('../../config/', import.meta.url);

async function check(file: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const printed = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      printed[name] += text;
    },
  });
  const code = await runCheck(file, { env: {}, stdout: stream('stdout'), stderr: stream('stderr') });
  return { code, ...printed };
}

test('a right file is counted', async () => {
  const file = configFolder().write(
    'config.yaml',
    'sources:\n- { name: A, type: simulator, tags: [{ tag_name: a }, { tag_name: b }] }\n- { name: B, type: simulator, tags: [{ tag_name: a }] }\ntwins: [{ id: t }]\n',
  );
  expect(await check(file)).toEqual({ code: 0, stdout: 'ok: 2 sources, 3 tags, 1 twins\n', stderr: '' });
});

test('derived tags without a unit are a warning, for each source', async () => {
  const tags = '[{ tag_name: a, expression: x }, { tag_name: b, expression: x }, { tag_name: c, unit: "", expression: x > 1 }]';
  const file = configFolder().write('config.yaml', `sources:\n- { id: calc, name: A, type: derived, tags: ${tags} }\n`);
  expect(await check(file)).toEqual({
    code: 0,
    stdout:
      'warning: the derived tag "a" and 1 more of source "calc" has no unit; unit: "" where there is none\nok: 1 sources, 3 tags, 0 twins\n',
    stderr: '',
  });
});

test('each fault of a wrong file is a line on standard error', async () => {
  const file = configFolder().write('config.yaml', 'log: { level: loud }\nauto_twins: 7\n');
  expect(await check(file)).toEqual({
    code: 78,
    stdout: '',
    stderr: `${file}:1:15 log.level – must be one of debug, info, warn, error\n${file}:2:13 auto_twins – expected boolean, got number\n`,
  });
});

test('of many faults fifty are printed, and then how many more there are', async () => {
  const folder = configFolder();
  const tags = (count: number) => Array.from({ length: count }, (_, index) => `  - { tag_name: 't${index}', scale: x }\n`).join('');
  const file = folder.write('config.yaml', `sources:\n- name: A\n  type: simulator\n  tags:\n${tags(60)}`);
  const lines = (await check(file)).stderr.trimEnd().split('\n');
  expect(lines).toHaveLength(51);
  expect(lines[49]).toContain(':54:');
  expect(lines[50]).toBe('and 10 more faults');
  folder.write('config.yaml', `sources:\n- name: A\n  type: simulator\n  tags:\n${tags(51)}`);
  expect((await check(file)).stderr).toMatch(/\nand 1 more fault\n$/);
  folder.write('config.yaml', `sources:\n- name: A\n  type: simulator\n  tags:\n${tags(50)}`);
  expect((await check(file)).stderr).not.toContain('more');
});

test('a file that is not there is a fault of the configuration', async () => {
  expect(await check('/nonexistent/config.yaml')).toEqual({
    code: 78,
    stdout: '',
    stderr: '/nonexistent/config.yaml:1:1 – the file cannot be read: there is no such file\n',
  });
});

const examples = readdirSync(EXAMPLES_URL).filter((name) => name.endsWith('.yaml'));

test('there are examples', () => {
  expect(examples).toEqual(expect.arrayContaining(['example.yaml', 'minimal.yaml']));
});

test.each(examples)('the example %s is right as it stands, with no secrets at hand', async (name) => {
  expect(await check(fileURLToPath(new URL(name, EXAMPLES_URL)))).toMatchObject({ code: 0, stderr: '' });
});
