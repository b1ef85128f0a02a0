import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { check } from '../../src/config/issues.ts';
import { configSchema } from '../../src/config/schema.ts';
import type { YamlFile } from '../../src/config/yaml-file.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

const start = { line: 1, column: 1 };

/** Checks a document and forgets it. */
function checked(value: unknown): { readonly ok: boolean; readonly yaml: WeakRef<YamlFile> } {
  const yaml: YamlFile = { file: 'config.yaml', mode: 0o600, sha256: '', value, valueAt: () => start, keyAt: () => start };
  return { ok: check(configSchema, value, yaml).ok, yaml: new WeakRef(yaml) };
}

test.each([
  ['valid', { sources: [] }, true],
  ['faulty', { sources: [], data_dirs: 'data' }, false],
])('the syntax tree of a %s file is not kept once the file is checked', async (_, document, ok) => {
  const result = checked(document);
  expect(result.ok).toBe(ok);
  await new Promise(setImmediate); // a WeakRef holds its target to the end of the turn it was made in
  collectGarbage();
  expect(result.yaml.deref()).toBeUndefined();
});
