/** `twinbox demo`: a plant of simulated devices and a daemon that reads them, in one command and all on this machine. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { stringify } from 'yaml';
import type { Daemon } from '../app/daemon.ts';
import { isLoopback, parseListen } from '../config/listen.ts';
import { loadConfig } from '../config/load.ts';
import { systemClock } from '../core/clock.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { DevicesFailed, DevicesReady } from './demo/devices.ts';
import { DEMO_MODBUS_TAGS } from './demo/modbus-plc.ts';
import { DEMO_OPCUA_TAGS } from './demo/opcua-cell.ts';
import { PACK_TOPICS } from './demo/pack-broker.ts';
import { EXIT } from './exit.ts';
import { printFaults } from './faults.ts';
import { serve, standardLog } from './serve.ts';

const DEVICES_TIMEOUT_MS = 30_000; // the first start makes RSA keys, which takes a Raspberry Pi some seconds
/** The tour needs something to show: the first values of all three protocols. */
const FIRST_VALUES_TIMEOUT_MS = 10_000;
const POLL_MS = 100;

export interface DemoOptions {
  readonly dir: string;
  readonly listen: string;
}

/** Resolves with the exit status after Ctrl-C. Writes nothing outside `dir`. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const listen = parseListen(options.listen);
  if (!listen || !isLoopback(listen.host)) {
    process.stderr.write(`--listen ${options.listen} – expected an address of this machine, such as 127.0.0.1:3000\n`);
    return EXIT.usage;
  }
  const dir = resolve(options.dir);
  mkdirSync(dir, { recursive: true });
  process.stdout.write('Starting an OPC UA server, a Modbus PLC and an MQTT broker with three battery packs …\n');
  const devices = startDevices(join(dir, 'devices'));
  try {
    const ready = await devicesReady(devices);
    const file = join(dir, 'config.yaml');
    writeFileSync(file, demoConfig(dir, options.listen, ready), { mode: 0o600 });
    const outcome = loadConfig(file, process.env);
    if (!outcome.ok) {
      printFaults(outcome.faults, process.stderr);
      return EXIT.config;
    }
    return await serve(outcome.value, standardLog('warn'), { onReady: (daemon) => greet(daemon, dir) });
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    return EXIT.failed;
  } finally {
    await endDevices(devices);
  }
}

function startDevices(stateDir: string): ChildProcess {
  const program = import.meta.url.endsWith('.ts') ? './demo/devices.ts' : './demo-devices.js';
  return fork(new URL(program, import.meta.url), [stateDir], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

async function devicesReady(devices: ChildProcess): Promise<DevicesReady> {
  const timer = new AbortController();
  const late = systemClock.sleep(DEVICES_TIMEOUT_MS, timer.signal).then(
    () => [{ kind: 'failed', message: `not ready after ${DEVICES_TIMEOUT_MS / 1000} s` } satisfies DevicesFailed],
    () => [],
  );
  const gone = once(devices, 'exit').then(([code]) => [{ kind: 'failed', message: `ended with ${String(code)}` } satisfies DevicesFailed]);
  const [message] = (await Promise.race([once(devices, 'message'), gone, late])) as [DevicesReady | DevicesFailed];
  timer.abort();
  if (message.kind === 'ready') return message;
  throw new GatewayError('not_connected', `the demo's devices did not start: ${message.message}`);
}

async function endDevices(devices: ChildProcess): Promise<void> {
  if (devices.exitCode !== null || devices.signalCode !== null) return;
  const ended = once(devices, 'exit');
  if (devices.connected) devices.disconnect();
  const timer = new AbortController();
  const late = systemClock.sleep(3_000, timer.signal).then(
    () => devices.kill('SIGKILL'),
    () => undefined,
  );
  await ended;
  timer.abort();
  await late;
}

/** A configuration as a person would write it, to look at and to change. */
function demoConfig(dir: string, listen: string, { modbusPort, opcuaUrl, mqttUrl }: DevicesReady): string {
  const config = {
    data_dir: join(dir, 'data'),
    api: { listen },
    sources: [
      {
        id: 'ds-pumps',
        name: 'Pump line PLC',
        type: 'modbus',
        config: { host: '127.0.0.1', port: modbusPort, unit_id: 1, polling_interval_ms: 1000 },
        tags: DEMO_MODBUS_TAGS,
      },
      {
        id: 'ds-cell',
        name: 'Robot cell OPC UA server',
        type: 'opcua',
        config: { endpoint: opcuaUrl, security_mode: 'None', security_policy: 'None', allow_insecure: true },
        tags: DEMO_OPCUA_TAGS,
      },
      {
        id: 'ds-packs',
        name: 'Battery packs',
        type: 'mqtt',
        profile: 'generic_json',
        config: { broker_url: mqttUrl, topics: PACK_TOPICS },
      },
    ],
    twins: [
      {
        id: 'pump-101',
        name: 'Main Cooling Pump',
        description: 'Primary cooling pump for reactor system',
        type: 'equipment',
        metadata: { manufacturer: 'FlowTech Industries', model: 'FT-3000' },
        sensors: [{ id: 'temperature', name: 'Temperature', unit: '°C', min_value: -10, max_value: 100 }],
      },
    ],
  };
  return `# The demo's own configuration, written anew at each start.\n${stringify(config)}`;
}

async function greet(daemon: Daemon, dir: string): Promise<void> {
  const tokenFile = join(dir, 'data', 'admin.token');
  const token = readFileSync(tokenFile, 'utf8').trim();
  await firstValues(daemon);
  const { sourcesUp, sources, tags } = daemon.status();
  process.stdout.write(`
twinbox demo is ready: ${sourcesUp} of ${sources} sources are connected, ${tags} tags are configured.

  URL    ${daemon.url}
  Token  ${token}

Try, in another terminal:

  export TOKEN=$(cat ${relative(process.cwd(), tokenFile)})
  curl -s -H "Authorization: Bearer $TOKEN" ${daemon.url}/api/twins
  curl -s -H "Authorization: Bearer $TOKEN" ${daemon.url}/api/twins/pump-101
  curl -s -H "Authorization: Bearer $TOKEN" "${daemon.url}/v1/telemetry/latest?asset_id=PK-0421"
  curl -s -H "Authorization: Bearer $TOKEN" ${daemon.url}/v1/data-sources

Files are in ${relative(process.cwd(), dir) || dir}. Ctrl-C ends everything.
`);
}

async function firstValues(daemon: Daemon): Promise<void> {
  const endMs = systemClock.monotonicMs() + FIRST_VALUES_TIMEOUT_MS;
  while (systemClock.monotonicMs() < endMs) {
    const { sourcesUp, sources } = daemon.status();
    if (sourcesUp === sources) return;
    await systemClock.sleep(POLL_MS);
  }
}
