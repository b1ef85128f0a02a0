/** The log: JSON lines, the journal's prefix, no secrets, and a daemon that outlives its reader. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { GatewayError } from '../../src/core/errors.ts';
import { createLogger, isJournal, type LeveledLog } from '../../src/system/logger.ts';

interface Captured {
  readonly log: LeveledLog;
  lines(): string[];
  last(): Record<string, unknown>;
}

function capture(options: { level?: 'debug' | 'info'; journal?: boolean } = {}): Captured {
  const output = new PassThrough();
  const log = createLogger({ level: options.level ?? 'info', output, journal: options.journal ?? false });
  let text = '';
  output.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const lines = (): string[] => text.split('\n').slice(0, -1);
  return { log, lines, last: () => JSON.parse(lines().at(-1)?.replace(/^<\d>/, '') ?? '') as Record<string, unknown> };
}

describe('a line', () => {
  test('is JSON with time, level, fields and message', () => {
    const { log, last } = capture();
    log.child({ source: 'ds-a' }).warn({ tags: 3, big: 2n ** 60n }, 'two\nlines');
    expect(last()).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      source: 'ds-a',
      tags: 3,
      big: '1152921504606846976',
      message: 'two\nlines',
    });
  });

  test('below the level is not written', () => {
    const { log, lines } = capture();
    log.debug({}, 'quiet');
    log.info({}, 'loud');
    expect(lines()).toHaveLength(1);
  });

  test('has the syslog severity in front where the journal reads', () => {
    const { log, lines } = capture({ level: 'debug', journal: true });
    log.debug({}, 'm');
    log.info({}, 'm');
    log.warn({}, 'm');
    log.child({}).error({}, 'm');
    expect(lines().map((line) => line.slice(0, 4))).toEqual(['<7>{', '<6>{', '<4>{', '<3>{']);
  });

  test('is always one line of JSON, whatever the fields', () => {
    const { log, lines } = capture();
    let count = 0;
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string(),
          fc.anything({ withBigInt: true, withDate: true, withTypedArray: true, withMap: true, withNullPrototype: true }),
        ),
        fc.string(),
        (fields, message) => {
          log.info(fields, message);
          count++;
          expect(lines()).toHaveLength(count);
          expect(() => JSON.parse(lines().at(-1) ?? '')).not.toThrow();
        },
      ),
    );
  });

  test('of an object that contains itself ends', () => {
    const { log, lines } = capture();
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    log.info({ circle }, 'm');
    expect(lines()[0]).toContain('[too deep]');
  });
});

describe('the level', () => {
  test('changes for the log and for the children that it has already', () => {
    const { log, lines } = capture();
    const child = log.child({ part: 'x' }).child({ source: 'y' });
    child.debug({}, 'not said');
    log.setLevel('debug');
    child.debug({}, 'said');
    log.setLevel('error');
    child.warn({}, 'not said');
    log.error({}, 'said too');
    expect(lines().map((line) => JSON.parse(line).message)).toEqual(['said', 'said too']);
  });
});

describe('secrets', () => {
  test('do not appear: by key, in URLs, in headers, in errors, in children, at any depth', () => {
    const { log, lines } = capture();
    const error = new Error('connect mqtt://user:hush@b:1883 failed');
    const fields = {
      password: 'hush',
      api_token: 'hush',
      accessToken: 'hush',
      Authorization: 'Bearer hush-hush-hush',
      'X-Api-Key': 'hush',
      deep: { list: [{ client_secret: 'hush', url: 'https://me:hush@host/x' }] },
      header: 'authorization: Bearer hush-hush-hush',
      error,
    };
    log.child({ secret: 'hush' }).error(fields, 'opc.tcp://a:hush@plc refused');
    expect(lines()).toHaveLength(1);
    expect(lines()[0]).not.toContain('hush');
    expect(lines()[0]).toContain('mqtt://********@b:1883');
  });

  test('are not seen where there are none', () => {
    const { log, last } = capture();
    log.info({ token_count: 3, tokens: 2, admin_token_file: '/var/lib/x', endpoint: 'opc.tcp://10.0.0.9:4840/a@b' }, 'mail to a@b');
    expect(last()).toMatchObject({
      token_count: 3,
      tokens: 2,
      admin_token_file: '/var/lib/x',
      endpoint: 'opc.tcp://10.0.0.9:4840/a@b',
      message: 'mail to a@b',
    });
  });

  test('leave operating errors short and mistakes with their stack', () => {
    const { log, last } = capture();
    log.warn({ error: new GatewayError('timeout', 'no answer', { cause: new Error('socket') }) }, 'm');
    expect(last()['error']).toEqual({ code: 'timeout', message: 'no answer: socket' });
    log.warn({ error: new TypeError('x is not a function') }, 'm');
    expect(last()['error']).toMatchObject({ type: 'TypeError', stack: expect.stringContaining('logger.test.ts') });
  });
});

describe('the reader', () => {
  test('may go away: the daemon lives on', async () => {
    const script = `
      import { createLogger } from ${JSON.stringify(new URL('../../src/system/logger.ts', import.meta.url).href)};
      const log = createLogger({ level: 'info', output: process.stdout, journal: false });
      process.stdin.once('data', () => {
        let count = 0;
        const timer = setInterval(() => {
          log.info({ count }, 'x'.repeat(1000));
          if (++count === 50) { clearInterval(timer); process.stderr.write('alive'); process.stdin.destroy(); }
        }, 1);
      });
      log.info({}, 'started');`;
    const loader = new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url).href;
    const child = spawn(process.execPath, ['--import', loader, '--input-type=module', '-e', script], { stdio: 'pipe' });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    child.stdin.write('go');
    const [code] = (await once(child, 'close')) as [number];
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'alive' });
  });

  test('may stand still: a megabyte waits, the rest is counted and told', async () => {
    let open = false;
    let waiting = (): void => {};
    let text = '';
    const output = new Writable({
      write(chunk: Buffer, _encoding, done) {
        text += chunk.toString();
        if (open) done();
        else waiting = done;
      },
    });
    const log = createLogger({ level: 'info', output, journal: false });
    for (let index = 0; index < 3_000; index++) log.info({ index }, 'x'.repeat(1_000));
    expect(output.writableLength).toBeLessThan(1.1 * 1024 * 1024);
    const drained = once(output, 'drain');
    open = true;
    waiting();
    await drained;
    log.info({}, 'after');
    const lines = text.split('\n').slice(0, -1);
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const written = entries.filter((entry) => entry['index'] !== undefined).length;
    const lost = Number(entries.at(-2)?.['lost']);
    expect(entries.at(-1)?.['message']).toBe('after');
    expect(lost).toBeGreaterThan(1_000);
    expect(written + lost).toBe(3_000);
  });

  test('of a long text without an end does not have to wait', () => {
    const { log, lines } = capture();
    log.info({ text: 'a'.repeat(300_000) }, 'a:'.repeat(300_000)); // hours, if the search for URLs took quadratic time
    expect(lines()).toHaveLength(1);
  });
});

test('the journal is known by device and inode, not by the variable alone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'twinbox-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const fd = openSync(join(folder, 'log'), 'w');
  const { dev, ino } = fstatSync(fd, { bigint: true });
  expect(isJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, fd)).toBe(true);
  expect(isJournal({ JOURNAL_STREAM: `${dev}:${ino + 1n}` }, fd)).toBe(false);
  expect(isJournal({ JOURNAL_STREAM: '' }, fd)).toBe(false);
  expect(isJournal({}, fd)).toBe(false);
  closeSync(fd);
});
