/** Backup and restore with the built daemon and its command line: under load, stopped, and into folders that are in the way. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { TestProcess } from '../support/process.ts';
import { figure } from '../support/wait.ts';
import { expectKept, within } from './ledger.ts';
import { REST_ASSET, RestLoad } from './load.ts';

const TAGS = ['n', 'text', 'flag'];

function twinbox(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/main.js', ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** Does not hold up the load that runs in this process. */
async function twinboxBeside(daemon: TestDaemon, ...args: string[]) {
  const child = new TestProcess(process.execPath, ['dist/main.js', ...args]);
  const status = await child.exited();
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${child.output}\n${daemon.log().slice(-2_000)}`);
  return child.output;
}

describe('backup and restore', () => {
  let daemon: TestDaemon;
  const file = (name: string) => join(daemon.folder, name);
  const config = () => file('config.yaml');
  const load = new RestLoad();

  beforeAll(async () => {
    daemon = await TestDaemon.start({ log: { level: 'warn' } });
  });

  afterAll(() => daemon?.dispose());

  const expectAll = async (from: TestDaemon, acknowledged: readonly { from: number; to: number }[]) => {
    for (const tag of TAGS) await expectKept(from, { asset: REST_ASSET, tag }, { from: 0, to: load.sent }, within(acknowledged));
  };

  test('of a daemon under load has everything that was acknowledged before, and the load does not notice', async () => {
    const over = new AbortController();
    const running = load.run(daemon, over.signal);
    await load.acknowledgement();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const before = [...load.acknowledged];
    const said = await twinboxBeside(daemon, 'backup', file('running.tar'), '-c', config());
    const during = load.acknowledged.length - before.length;
    over.abort();
    await running;
    expect(said).toMatch(/running\.tar – \d+ files, [\d.]+ MB/);
    expect(during).toBeGreaterThan(0);
    expect(statSync(file('running.tar')).mode & 0o777).toBe(0o600);
    expect(existsSync(join(daemon.dataDir, 'backup'))).toBe(false);
    await expectAll(daemon, load.acknowledged);
    figure(`backup under load: ${before.length} batches before, ${during} while it was made`);

    const { status, stderr } = twinbox('restore', file('running.tar'), '--data-dir', file('second'));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    writeFileSync(join(file('second'), 'admin.token'), readFileSync(join(daemon.dataDir, 'admin.token')));
    const second = await TestDaemon.start({ data_dir: file('second'), log: { level: 'warn' } });
    try {
      await expectAll(second, before);
    } finally {
      await second.dispose();
    }
  });

  test('of a stopped daemon is complete, and comes back in place of what is there only when told so', async () => {
    await daemon.stop();
    expect(twinbox('backup', file('stopped.tar'), '--data-dir', daemon.dataDir).status).toBe(0);
    expect(twinbox('backup', file('stopped.tar'), '--data-dir', daemon.dataDir)).toMatchObject({ status: 64 });
    const refused = twinbox('restore', file('stopped.tar'), '--data-dir', daemon.dataDir);
    expect(refused).toMatchObject({ status: 1 });
    expect(refused.stderr).toContain('is not empty; --force');
    const token = readFileSync(join(daemon.dataDir, 'admin.token'));
    const names = readdirSync(daemon.dataDir).filter((name) => name !== 'lock.db');
    expect(twinbox('restore', file('stopped.tar'), '--data-dir', daemon.dataDir, '--force').status).toBe(0);
    const aside = readdirSync(daemon.dataDir).filter((name) => name.startsWith('before-'));
    expect(aside.length).toBe(1);
    expect(readdirSync(join(daemon.dataDir, aside[0] as string)).sort()).toEqual(names.sort());
    writeFileSync(join(daemon.dataDir, 'admin.token'), token);
    await daemon.restart();
    await expectAll(daemon, load.acknowledged);
  });

  test('leaves the folder as it was when the archive is damaged, and alone while a daemon runs on it', async () => {
    const bytes = readFileSync(file('stopped.tar'));
    bytes.writeUInt8((bytes[bytes.length >> 1] as number) ^ 1, bytes.length >> 1);
    writeFileSync(file('damaged.tar'), bytes);
    mkdirSync(file('third'));
    expect(twinbox('restore', file('damaged.tar'), '--data-dir', file('third'))).toMatchObject({ status: 1 });
    expect(readdirSync(file('third'))).toEqual(['lock.db']);
    expect(twinbox('restore', file('stopped.tar'), '--data-dir', daemon.dataDir, '--force').stderr).toContain('another twinbox runs');
    expect(twinbox('restore', file('nothing.tar'), '--data-dir', file('third')).stderr).toContain('no such file');
  });

  test('says what is missing: the daemon, the token, the data', async () => {
    expect(twinbox('backup', file('x.tar'), '--url', 'http://127.0.0.1:1', '--token', 'tbx_x')).toMatchObject({ status: 69 });
    const foreign = twinbox('backup', file('x.tar'), '--url', daemon.url, '--token', `tbx_${'A'.repeat(43)}`);
    expect(foreign).toMatchObject({ status: 1 });
    expect(foreign.stderr).toContain('401');
    expect(twinbox('backup', file('x.tar'), '--data-dir', file('nowhere')).stderr).toContain('no such folder');
    mkdirSync(file('empty'));
    expect(twinbox('backup', file('x.tar'), '--data-dir', file('empty')).stderr).toContain('holds no data');
    expect(existsSync(file('x.tar'))).toBe(false);
    expect(existsSync(file('x.tar.part'))).toBe(false);
  });
});
