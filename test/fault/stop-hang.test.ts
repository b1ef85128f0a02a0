/** SIGTERM while a disk hangs: a thread sits in a system call that never returns, and the process ends all the same. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { eventually, figure } from '../support/wait.ts';

/** Promised: five seconds. With half a second for the log, and for a machine that does other things. */
const STOP_MS = 7_000;
/** The first signal may come twice; the one after that ends the process by itself. */
const SECOND_SIGNAL_MS = 1_000;
const AT_ONCE_MS = 2_000;

/** Opening a FIFO that nobody writes to blocks the thread in the kernel, as a disk does that does not answer. */
const PRELOAD = `
const fs = require('node:fs');
const { join } = require('node:path');
const folder = process.env.HANGING_DISK;
for (const name of ['fdatasyncSync', 'fsyncSync']) {
  const real = fs[name];
  fs[name] = (file) => {
    if (fs.existsSync(join(folder, 'hangs'))) {
      fs.writeFileSync(join(folder, 'reached'), '');
      fs.openSync(join(folder, 'fifo'), 'r');
    }
    return real(file);
  };
}
require('node:module').syncBuiltinESMExports();
`;

class HangingDisk {
  readonly folder = mkdtempSync(join(tmpdir(), 'twinbox-hang-'));

  constructor() {
    writeFileSync(join(this.folder, 'preload.cjs'), PRELOAD);
    execFileSync('mkfifo', [join(this.folder, 'fifo')]);
  }

  get env(): Readonly<Record<string, string>> {
    return { HANGING_DISK: this.folder, NODE_OPTIONS: `--require ${join(this.folder, 'preload.cjs')}` };
  }

  hang(): void {
    writeFileSync(join(this.folder, 'hangs'), '');
  }

  async reached(): Promise<void> {
    const patience = { what: 'a thread waits for the disk', timeoutMs: 20_000 };
    await eventually(() => existsSync(join(this.folder, 'reached')) || undefined, patience);
  }

  mend(): void {
    for (const name of ['hangs', 'reached']) rmSync(join(this.folder, name), { force: true });
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function reading(value: number) {
  return { data: [{ asset_id: 'Pump_001', tag_name: 'n', value, timestamp: new Date(1_767_700_000_000 + value * 1_000).toISOString() }] };
}

describe('SIGTERM while the disk hangs', () => {
  let disk: HangingDisk;
  let daemon: TestDaemon;

  beforeEach(async () => {
    disk = new HangingDisk();
    daemon = await TestDaemon.start({ sources: [] }, disk.env);
  });

  afterEach(async () => {
    await daemon?.dispose();
    disk.dispose();
  });

  async function hangInCommit(): Promise<void> {
    expect((await daemon.post('/v1/telemetry', reading(1))).status).toBe(200);
    disk.hang();
    daemon.post('/v1/telemetry', reading(2)).catch(() => undefined); // never answered
    await disk.reached();
  }

  test('it says which part hangs, leaves without it, and keeps what it acknowledged', async () => {
    await hangInCommit();
    const startMs = performance.now();
    await daemon.stop();
    const tookMs = Math.round(performance.now() - startMs);
    expect(daemon.log()).toContain('a part hangs; leaving without it');
    figure(`left a hung disk after ${tookMs} ms`);
    expect(tookMs).toBeLessThan(STOP_MS);
    disk.mend();
    await daemon.restart();
    const { body } = await daemon.get('/v1/telemetry/latest?asset_id=Pump_001');
    expect(body.data).toMatchObject([{ tag_name: 'n' }]);
  });

  test('a second signal ends it at once', async () => {
    await hangInCommit();
    const ended = daemon.stop();
    await sleep(SECOND_SIGNAL_MS);
    expect(daemon.running).toBe(true);
    const startMs = performance.now();
    expect(await daemon.kill('SIGTERM')).toBe('SIGTERM');
    expect(performance.now() - startMs).toBeLessThan(AT_ONCE_MS);
    await ended;
  });

  test('a start that hangs ends as well', async () => {
    await daemon.post('/v1/telemetry', reading(1));
    await daemon.kill();
    disk.hang();
    daemon.launch();
    await disk.reached();
    const startMs = performance.now();
    await daemon.stop();
    expect(performance.now() - startMs).toBeLessThan(STOP_MS);
    expect(daemon.log()).toContain('told to end before the start was done');
  });
});
