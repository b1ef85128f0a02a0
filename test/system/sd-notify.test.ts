/** What systemd is told, and when: by a command that writes it down, by the clock of the test, and once by the real one. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { type Log, silentLog } from '../../src/core/log.ts';
import { SdNotify } from '../../src/system/sd-notify.ts';

/** A command that writes its arguments down, one line a call. */
function recorder(behaviour = ''): { readonly command: string; calls(): string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'twinbox-notify-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const command = join(folder, 'notify');
  writeFileSync(command, `#!/bin/sh\n${behaviour}\necho "$NOTIFY_SOCKET|$*" >> ${folder}/calls\n`);
  chmodSync(command, 0o700);
  return {
    command,
    calls: () => (existsSync(join(folder, 'calls')) ? readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n') : []),
  };
}

/** Time that stands still until somebody has slept; each sleep ends at once and is remembered. */
function sleeper(stopAfter: number): { readonly clock: Clock; readonly signal: AbortSignal; readonly slept: number[] } {
  const abort = new AbortController();
  const slept: number[] = [];
  const clock: Clock = {
    ...systemClock,
    sleep: async (durationMs, signal) => {
      slept.push(durationMs);
      if (slept.length === stopAfter) abort.abort();
      signal?.throwIfAborted();
    },
  };
  return { clock, signal: abort.signal, slept };
}

function warnings(): { readonly log: Log; readonly texts: string[] } {
  const texts: string[] = [];
  return { log: { ...silentLog, warn: (fields, message) => texts.push(`${message} ${JSON.stringify(fields)}`) }, texts };
}

const WATCHED = { PATH: process.env['PATH'], NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '30000000', WATCHDOG_PID: String(process.pid) };

describe('messages', () => {
  test('go out in order, one command each, and an unchanged status not at all', async () => {
    const { command, calls } = recorder();
    const notify = new SdNotify({ env: WATCHED, clock: systemClock, log: silentLog, command });
    void notify.ready('2/3 sources up');
    void notify.status('2/3 sources up');
    void notify.status('3/3 sources\nup; $(id) "quoted"');
    await notify.stopping();
    expect(calls()).toEqual(['/run/x|READY=1 STATUS=2/3 sources up', '/run/x|STATUS=3/3 sources up; $(id) "quoted"', '/run/x|STOPPING=1']);
  });

  test('do not go out where no service manager listens', async () => {
    const { command, calls } = recorder();
    const notify = new SdNotify({ env: { PATH: process.env['PATH'], WATCHDOG_USEC: '1000' }, clock: systemClock, log: silentLog, command });
    await notify.ready('x');
    await notify.run(() => true, new AbortController().signal);
    await notify.stopping();
    expect(calls()).toEqual([]);
  });

  test('that fail are logged, not thrown', async () => {
    const { log, texts } = warnings();
    await new SdNotify({ env: WATCHED, clock: systemClock, log, command: '/nonexistent/notify' }).ready('x');
    await new SdNotify({ env: WATCHED, clock: systemClock, log, command: recorder('exit 3').command }).ready('x');
    expect(texts).toEqual([
      expect.stringContaining('could not notify systemd {"error":"/nonexistent/notify cannot be started'),
      expect.stringMatching(/could not notify systemd .*ended with 3/),
    ]);
  });
});

describe('the watchdog', () => {
  test('gets a sign of life twice a period, as long as all is well', async () => {
    const { command, calls } = recorder();
    const { clock, signal, slept } = sleeper(4);
    const healthy = vi.fn().mockReturnValueOnce(true).mockReturnValueOnce(false).mockReturnValue(true);
    const notify = new SdNotify({ env: WATCHED, clock, log: silentLog, command });
    expect(notify.watchdogMs).toBe(30_000);
    await notify.run(healthy, signal);
    expect(slept).toEqual([15_000, 15_000, 15_000, 15_000]);
    expect(calls()).toEqual(['/run/x|WATCHDOG=1', '/run/x|WATCHDOG=1', '/run/x|WATCHDOG=1']);
    expect(healthy).toHaveBeenCalledTimes(4);
  });

  test('gets none from a health check that fails, and the log says why', async () => {
    const { command, calls } = recorder();
    const { clock, signal } = sleeper(2);
    const { log, texts } = warnings();
    const notify = new SdNotify({ env: WATCHED, clock, log, command });
    await notify.run(() => {
      throw new Error('broken');
    }, signal);
    expect(calls()).toEqual([]);
    expect(texts).toEqual([expect.stringContaining('broken')]);
  });

  test.each([
    ['another process', { WATCHDOG_PID: '1' }],
    ['nobody', { WATCHDOG_USEC: undefined }],
    ['nonsense', { WATCHDOG_USEC: 'soon' }],
    ['no time', { WATCHDOG_USEC: '0' }],
  ])('of %s is not ours', async (_, env) => {
    const { clock, signal, slept } = sleeper(1);
    const notify = new SdNotify({ env: { ...WATCHED, ...env }, clock, log: silentLog });
    expect(notify.watchdogMs).toBeUndefined();
    await notify.run(() => true, signal);
    expect(slept).toEqual([]);
  });
});

const python = spawnSync('python3', ['-c', 'import socket; socket.AF_UNIX']).status === 0;
const systemdNotify = spawnSync('systemd-notify', ['--version']).status === 0;
if (!python || !systemdNotify)
  process.stderr.write('skipped: the real systemd-notify – needs systemd-notify, and python3 for a datagram socket\n');

test.skipIf(!python || !systemdNotify)('the real systemd-notify carries the message to the socket', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'twinbox-notify-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const socket = join(folder, 'socket');
  // Takes what comes, and by closing the descriptor of systemd-notify's barrier says that it was seen, as systemd does.
  const receiver = spawn('python3', [
    '-u',
    '-c',
    `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound")
while True:
    data, fds, _, _ = socket.recv_fds(s, 4096, 4)
    for fd in fds: os.close(fd)
    print(repr(data.decode()))
`,
    socket,
  ]);
  onTestFinished(() => {
    receiver.kill();
  });
  let text = '';
  receiver.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(receiver.stdout, 'data');
  const { log, texts } = warnings();
  const notify = new SdNotify({ env: { PATH: process.env['PATH'], NOTIFY_SOCKET: socket }, clock: systemClock, log });
  await notify.ready('all up');
  await notify.stopping();
  await vi.waitFor(() => expect(text).toContain('STOPPING=1'), 5_000);
  expect(text).toContain(String.raw`READY=1\nSTATUS=all up`);
  expect(texts).toEqual([]);
});
