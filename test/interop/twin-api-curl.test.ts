/** The examples that the Twin API's document prints for a shell, run as printed: by bash and curl, on port 3000, with the token that they name. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { expectPrinted } from '../contract/printed.ts';
import { TestProcess } from '../support/process.ts';
import { eventually } from '../support/wait.ts';

const PORT = 3000;
const TOKEN = 'your-token';

const CREATING = String.raw`
# Create a new twin
curl -X POST http://localhost:3000/api/twins \
  -H "Authorization: Bearer your-token" \
  -H "Content-Type: application/json" \
  -d '{
    "id": "compressor-1",
    "name": "Air Compressor Unit 1",
    "description": "Main air compressor for production line",
    "type": "equipment",
    "metadata": {
      "manufacturer": "CompressAir Inc",
      "model": "CA-2000",
      "installation_date": "2024-03-15"
    }
  }'

# Add temperature sensor
curl -X POST http://localhost:3000/api/twins/compressor-1/sensors \
  -H "Authorization: Bearer your-token" \
  -H "Content-Type: application/json" \
  -d '{
    "id": "temperature",
    "name": "Temperature",
    "unit": "°C",
    "current_value": 45.0,
    "min_value": 0.0,
    "max_value": 80.0
  }'

# Add pressure sensor
curl -X POST http://localhost:3000/api/twins/compressor-1/sensors \
  -H "Authorization: Bearer your-token" \
  -H "Content-Type: application/json" \
  -d '{
    "id": "pressure",
    "name": "Pressure",
    "unit": "bar",
    "current_value": 8.5,
    "min_value": 0.0,
    "max_value": 12.0
  }'
`;

const HISTORY = String.raw`
# Get temperature history for the last 24 hours
curl -X GET "http://localhost:3000/api/twins/compressor-1/sensors/temperature/history?start_date=2025-11-16T04:05:00Z&end_date=2025-11-17T04:05:00Z&interval=1h" \
  -H "Authorization: Bearer your-token"
`;

const SYNC = String.raw`
# Synchronize the twin with its physical counterpart
curl -X POST http://localhost:3000/api/twins/compressor-1/sync \
  -H "Authorization: Bearer your-token" \
  -H "Content-Type: application/json" \
  -d '{
    "force": false,
    "timeout": 30
  }'
`;

/** Each from its comment to the empty line behind it. */
const commands = [CREATING, HISTORY, SYNC].flatMap((block) => block.trim().split(/\n\n(?=# )/));

const EXPECTED: readonly { readonly status: number; readonly body: object }[] = [
  {
    status: 201,
    body: {
      data: {
        id: 'compressor-1',
        name: 'Air Compressor Unit 1',
        description: 'Main air compressor for production line',
        type: 'equipment',
        status: 'active',
        sensor_count: 0,
        actuator_count: 0,
        sensors: [],
        actuators: [],
        metadata: { manufacturer: 'CompressAir Inc', model: 'CA-2000', installation_date: '2024-03-15' },
      },
    },
  },
  { status: 201, body: { data: { id: 'temperature', name: 'Temperature', unit: '°C', current_value: 45, min_value: 0, max_value: 80 } } },
  { status: 201, body: { data: { id: 'pressure', name: 'Pressure', unit: 'bar', current_value: 8.5, min_value: 0, max_value: 12 } } },
  {
    status: 200,
    body: {
      data: [],
      meta: {
        pagination: { total_items: 0, current_page: 1, per_page: 100 },
        aggregation: { interval: '1h', start_date: '2025-11-16T04:05:00Z', end_date: '2025-11-17T04:05:00Z' },
      },
    },
  },
  { status: 200, body: { data: { id: 'compressor-1', sync_status: 'completed', sensors_updated: 0, actuators_updated: 0, changes: {} } } },
];

describe('the curl examples of the Twin API', () => {
  const folder = mkdtempSync(join(tmpdir(), 'twinbox-curl-'));
  let isTaken = false;
  let daemon: TestProcess | undefined;

  beforeAll(async () => {
    isTaken = !(await isFree());
    if (isTaken && process.env['TWINBOX_INTEROP_OPTIONAL'] !== '1') {
      throw new Error(`another program has port ${PORT}, which the examples name: end it, or set TWINBOX_INTEROP_OPTIONAL=1`);
    }
    if (isTaken) return;
    const sha256 = createHash('sha256').update(TOKEN).digest('hex');
    const tokens = [{ name: 'as printed', sha256, scopes: ['read:assets', 'write:assets', 'read:telemetry', 'write:telemetry'] }];
    writeFileSync(join(folder, 'config.yaml'), stringify({ data_dir: 'data', api: { tokens } }), { mode: 0o600 });
    // What curl is to print beside the answer stands in its own file, so that the commands stay as they are.
    writeFileSync(join(folder, '.curlrc'), 'silent\nwrite-out = "\\n%{http_code}"\n');
    daemon = new TestProcess(process.execPath, [join(process.cwd(), 'dist/main.js'), 'run', '--config', join(folder, 'config.yaml')]);
    const ready = async () => {
      if (!daemon?.running) throw new Error(daemon?.output);
      const response = await fetch(`http://127.0.0.1:${PORT}/readyz`).catch(() => undefined);
      return response?.status === 200 ? true : undefined;
    };
    await eventually(ready, { what: 'ready', timeoutMs: 30_000 });
  });

  afterAll(async () => {
    await daemon?.end('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  const run = async (command: string) => {
    const env = { ...process.env, HOME: folder, CURL_HOME: folder };
    const { stdout } = await promisify(execFile)('bash', ['-c', command], { env });
    const [, body = '', status] = /^(.*)\n(\d{3})$/s.exec(stdout) ?? [];
    return { status: Number(status), body: JSON.parse(body) as { readonly data: Readonly<Record<string, unknown>> } };
  };

  it('are five', () => {
    expect(commands).toHaveLength(EXPECTED.length);
    expect(commands.every((command) => /^# .+\ncurl -X /.test(command))).toBe(true);
  });

  it.for(commands.map((command, index) => [command.split('\n')[0], index] as const))('%s', async ([, index], { skip }) => {
    skip(isTaken, `another program has port ${PORT}, which the examples name`);
    const { status, body } = await run(commands[index] as string);
    const expected = EXPECTED[index];
    expectPrinted(body, expected?.body);
    expect(status).toBe(expected?.status);
  });
});

async function isFree(): Promise<boolean> {
  const server = createServer();
  const listening = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(PORT, '127.0.0.1', () => resolve(true));
  });
  if (!listening) return false;
  server.close();
  await once(server, 'close');
  return true;
}
