/** The README's tour, as printed, against the demo. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, figure } from '../support/wait.ts';

const root = join(import.meta.dirname, '../..');
/** From the command to the ready message, installation aside. */
const READY_TARGET_MS = 10_000;
const MARGIN = 9;

const tour = (readFileSync(join(root, 'README.md'), 'utf8').split('## The five-minute tour')[1] ?? '').split('\n## ')[0] ?? '';
const lines = [...tour.matchAll(/```bash\n([\s\S]*?)```/g)].flatMap(([, block]) => (block ?? '').trim().split('\n'));
const exports = lines.filter((line) => line.startsWith('export '));
const commands = lines.filter((line) => !line.startsWith('export '));

describe('the five-minute tour', () => {
  const folder = mkdtempSync(join(tmpdir(), 'twinbox-tour-'));
  let demo: ChildProcess;
  let output = '';

  beforeAll(async () => {
    const startMs = performance.now();
    demo = spawn(process.execPath, [join(root, 'dist/main.js'), 'demo'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    demo.stdout?.on('data', (chunk) => (output += String(chunk)));
    demo.stderr?.on('data', (chunk) => (output += String(chunk)));
    const explain = () => output;
    await eventually(() => (output.includes('Ctrl-C ends everything') ? true : undefined), {
      what: 'ready',
      timeoutMs: READY_TARGET_MS * MARGIN,
      explain,
    });
    figure(`demo ready after ${Math.round(performance.now() - startMs)} ms (promised ${READY_TARGET_MS})`);
  });

  afterAll(() => {
    demo.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  const print = async (command: string) =>
    (await promisify(execFile)('bash', ['-c', [...exports, command].join('\n')], { cwd: folder })).stdout;
  const run = async (command: string) => JSON.parse(await print(command)) as { data: unknown };

  it('has lines to run', () => {
    expect(exports).toHaveLength(2);
    expect(commands.length).toBeGreaterThanOrEqual(10);
    expect(commands.every((command) => command.startsWith('curl -fsS '))).toBe(true);
  });

  it('says that all three sources are connected, and its own curl lines work', async () => {
    expect(output).toContain('3 of 3 sources are connected');
    const printed = output.split('\n').filter((line) => line.trimStart().startsWith('curl '));
    expect(printed.length).toBeGreaterThan(2);
    for (const line of printed) expect((await run(line.trim())).data).toBeDefined();
  });

  it('has heard of the packs, which speak once a second', async () => {
    const path = '/v1/telemetry/latest?asset_id=PK-0421';
    await eventually(
      async () => {
        const { data } = await run(`curl -fsS -H "Authorization: Bearer $TOKEN" "$API${path}"`);
        return (data as unknown[]).length > 0 || undefined;
      },
      { what: 'a message of a pack', timeoutMs: 5_000 },
    );
  });

  it.each(commands)('%s', async (command) => {
    if (command.includes('text/csv')) {
      const [head, ...lines] = (await print(command)).split('\r\n');
      expect(head).toMatch(/^timestamp,asset_id,/);
      expect(lines.length).toBeGreaterThan(1);
      return;
    }
    const { data } = await run(command);
    if (Array.isArray(data)) expect(data).not.toHaveLength(0);
    else expect(data).toBeTypeOf('object');
  });

  it('shows live values of all three protocols with good quality', async () => {
    const twin = async (id: string) => {
      const { data } = await run(`curl -fsS -H "Authorization: Bearer $TOKEN" "$API/api/twins/${id}"`);
      return (data as { sensors: { id: string; current_value: unknown; quality: string }[] }).sensors;
    };
    for (const id of ['pump-101', 'robot-3', 'PK-0421']) {
      const sensors = await twin(id);
      expect(sensors.length, id).toBeGreaterThan(3);
      expect(
        sensors.filter((sensor) => sensor.quality !== 'good' || sensor.current_value === null),
        id,
      ).toEqual([]);
    }
  });

  it('ends cleanly with Ctrl-C and leaves nothing outside its folder', async () => {
    const exited = new Promise((resolve) => demo.once('exit', resolve));
    demo.kill('SIGINT');
    expect(await exited).toBe(0);
    const { stdout } = await promisify(execFile)('ls', ['-A', folder]);
    expect(stdout.trim()).toBe('twinbox-demo');
  });
});
