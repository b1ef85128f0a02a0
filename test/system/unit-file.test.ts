/** The systemd unit: as strict as promised, and without a word that systemd does not know. Needs systemd's own tools. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const UNIT = fileURLToPath(new URL('../../systemd/twinbox.service', import.meta.url));

/** Why the tools cannot be used here, or undefined. */
function obstacle(): string | undefined {
  const { error, stdout } = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' });
  if (error) return 'systemd-analyze is not installed';
  const version = Number(/systemd (\d+)/.exec(stdout)?.[1]);
  return version >= 250 ? undefined : `systemd ${version} cannot judge a unit offline`;
}

const reason = obstacle();
if (reason) process.stderr.write(`skipped: judging systemd/twinbox.service – ${reason}\n`);

test.skipIf(reason)('systemd judges its exposure to be at most 2.0', () => {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['security', '--offline=yes', '--threshold=20', UNIT], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(stdout).toMatch(/Overall exposure level for twinbox\.service: [01]\.\d/);
  expect(status).toBe(0);
});

test.skipIf(reason ?? nodeObstacle())('systemd finds no fault in it', () => {
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', UNIT], { encoding: 'utf8' });
  expect(stderr.split('\n').filter((line) => line.includes('twinbox.service'))).toEqual([]);
  expect(status).toBe(0);
});

test.skipIf(reason)('with serial lines its exposure is at most 2.0 too, and systemd knows every word', () => {
  const folder = mkdtempSync(join(tmpdir(), 'twinbox-unit-'));
  try {
    const unit = join(folder, 'twinbox.service');
    copyFileSync(UNIT, unit);
    mkdirSync(`${unit}.d`);
    copyFileSync(fileURLToPath(new URL('../../systemd/serial.conf', import.meta.url)), join(`${unit}.d`, 'serial.conf'));
    const { stdout, stderr } = spawnSync('systemd-analyze', ['security', '--offline=yes', unit], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/Overall exposure level for twinbox\.service: [01]\.\d/);
    expect(stdout).toMatch(/Service has a device ACL with some special devices/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('it says what the daemon relies on', () => {
  const settings = readFileSync(UNIT, 'utf8').split('\n');
  const relied = [
    'Type=notify',
    'NotifyAccess=all',
    'ExecReload=/bin/kill -HUP $MAINPID',
    'WatchdogSec=30',
    'Restart=always',
    'TimeoutStopSec=10',
    'StateDirectory=twinbox',
    'OOMPolicy=stop',
  ];
  expect(settings).toEqual(expect.arrayContaining(relied));
  expect(settings.some((line) => line.startsWith('MemoryDenyWriteExecute='))).toBe(false);
});

/** `verify` wants the program that the unit starts to be there. */
function nodeObstacle(): string | undefined {
  try {
    accessSync('/usr/bin/node', constants.X_OK);
    return undefined;
  } catch {
    process.stderr.write('skipped: verifying systemd/twinbox.service – there is no /usr/bin/node\n');
    return 'no /usr/bin/node';
  }
}
