/** Servers that this project did not write: mosquitto, libmodbus, pymodbus and open62541, each on a free port of 127.0.0.1. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../support/free-port.ts';
import { TestProcess } from '../support/process.ts';
import { eventually } from '../support/wait.ts';

const run = promisify(execFile);

const SOURCES = join(import.meta.dirname, 'peers');
/** Built peers stay here between runs; git ignores it. */
const BUILT = join(import.meta.dirname, '..', '..', '.peers');
const PYTHON = '/usr/bin/python3'; // the one that sees Debian's packages
const START_TIMEOUT_MS = 15_000;

export type PeerName = 'mosquitto' | 'libmodbus' | 'pymodbus' | 'open62541' | 'openssl' | 'socat';

/** What each needs on this machine: how it is looked for, and the Debian package that brings it. */
const NEEDS: Readonly<Record<PeerName, readonly { readonly found: () => Promise<boolean>; readonly packages: string }[]>> = {
  mosquitto: [{ found: async () => program('mosquitto') !== undefined, packages: 'mosquitto' }],
  libmodbus: [
    { found: async () => program('gcc') !== undefined, packages: 'gcc libc6-dev' },
    { found: () => succeeds('pkg-config', ['--exists', 'libmodbus']), packages: 'pkg-config libmodbus-dev' },
  ],
  pymodbus: [
    {
      found: () => succeeds(PYTHON, ['-c', 'import pymodbus, serial, serial_asyncio']),
      packages: 'python3-pymodbus python3-serial python3-serial-asyncio',
    },
  ],
  open62541: [
    { found: async () => program('gcc') !== undefined, packages: 'gcc libc6-dev' },
    { found: async () => program('apt-get') !== undefined, packages: 'apt (the server is fetched from Debian 13)' },
  ],
  socat: [{ found: async () => program('socat') !== undefined, packages: 'socat' }],
  openssl: [{ found: async () => program('openssl') !== undefined, packages: 'openssl' }],
};

/**
 * True when tests on these peers must be left out: something is missing and TWINBOX_INTEROP_OPTIONAL=1, which is printed.
 * Without that setting a missing peer is an error that names the packages: a test that nobody ran proves nothing.
 */
export async function leaveOut(...peers: readonly PeerName[]): Promise<boolean> {
  const missing: string[] = [];
  for (const peer of peers) {
    for (const { found, packages } of NEEDS[peer]) if (!(await found())) missing.push(`${peer} needs ${packages}`);
  }
  if (missing.length === 0) return false;
  const message = `${missing.join('; ')} (apt-get install -y --no-install-recommends …)`;
  if (process.env['TWINBOX_INTEROP_OPTIONAL'] !== '1') throw new Error(message);
  process.stdout.write(`  LEFT OUT: ${message}\n`);
  return true;
}

/** A server as a process; it keeps its place over a restart. */
export class Peer {
  readonly port: number;
  readonly #command: string;
  readonly #args: readonly string[];
  readonly #isReady: () => Promise<true | undefined>;
  #process: TestProcess | undefined;

  constructor(port: number, command: string, args: readonly string[], isReady = () => accepts(port)) {
    this.port = port;
    this.#command = command;
    this.#args = args;
    this.#isReady = isReady;
  }

  /** Resolves when the port takes connections, or whatever shows that it is there. */
  async start(): Promise<void> {
    const started = new TestProcess(this.#command, this.#args);
    this.#process = started;
    await eventually(async () => !started.running || (await this.#isReady()), {
      what: `${[this.#command, ...this.#args].join(' ')} is ready`,
      timeoutMs: START_TIMEOUT_MS,
      everyMs: 10,
    });
    if (!started.running) throw new Error(`${this.#command} ended (${await started.exited()}):\n${started.lastLines()}`);
  }

  /** As a power cut does it. */
  async kill(): Promise<void> {
    await this.#process?.end('SIGKILL');
  }

  /** As an operator does it: it may save what it holds. */
  async stop(): Promise<void> {
    await this.#process?.end('SIGTERM');
  }

  /** It holds its connections and answers nothing, as behind a cable that was pulled. */
  freeze(): void {
    this.#process?.signal('SIGSTOP');
  }

  thaw(): void {
    this.#process?.signal('SIGCONT');
  }
}

export class Mosquitto extends Peer {
  readonly #folder: string;

  private constructor(port: number, folder: string) {
    super(port, program('mosquitto') ?? 'mosquitto', ['-c', join(folder, 'mosquitto.conf')]);
    this.#folder = folder;
  }

  /** Keeps sessions and their messages on disk, and never drops one for being many. */
  static async create(): Promise<Mosquitto> {
    const port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), 'twinbox-mosquitto-'));
    const lines = [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      'persistence true',
      `persistence_location ${folder}/`,
      'max_queued_messages 0',
      ...(process.getuid?.() === 0 ? ['user root'] : []), // else it would give up the right to write here
    ];
    await writeFile(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`);
    return new Mosquitto(port, folder);
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  async dispose(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** The server of peers/modbus-server.c. */
export async function libmodbus(): Promise<Peer> {
  await mkdir(BUILT, { recursive: true });
  const { stdout } = await run('pkg-config', ['--cflags', '--libs', 'libmodbus']);
  const binary = join(BUILT, 'modbus-server');
  await run('gcc', ['-O1', '-Wall', join(SOURCES, 'modbus-server.c'), '-o', binary, ...stdout.trim().split(/\s+/)]);
  const port = await freePort();
  return new Peer(port, binary, [String(port)]);
}

/** The server of peers/modbus-server.py. */
export async function pymodbus(transport: 'tcp' | 'udp' | 'rtu_over_tcp' = 'tcp'): Promise<Peer> {
  const port = await freePort();
  const isReady = transport === 'udp' ? () => isBound(port) : undefined;
  return new Peer(port, PYTHON, [join(SOURCES, 'modbus-server.py'), transport, String(port)], isReady);
}

/** The same on a serial device. Nothing shows that it is there but its answers. */
export function pymodbusOn(device: string): Peer {
  return new Peer(0, PYTHON, [join(SOURCES, 'modbus-server.py'), 'rtu', device], async () => true);
}

/** A serial cable between two devices of this machine: pseudo-terminals of socat. */
export class SerialCable {
  readonly near: string;
  readonly far: string;
  readonly #folder: string;
  #process: TestProcess | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
    this.near = join(folder, 'near');
    this.far = join(folder, 'far');
  }

  static async create(): Promise<SerialCable> {
    const cable = new SerialCable(await mkdtemp(join(tmpdir(), 'twinbox-serial-')));
    await cable.plug();
    return cable;
  }

  /** Resolves when both ends are there. */
  async plug(): Promise<void> {
    const ends = [this.near, this.far];
    this.#process = new TestProcess(
      'socat',
      ends.map((link) => `pty,raw,echo=0,link=${link}`),
    );
    await eventually(() => ends.every((link) => existsSync(link)) || undefined, {
      what: 'the cable is there',
      timeoutMs: START_TIMEOUT_MS,
    });
  }

  /** Both devices are gone, as when an adapter is unplugged. */
  async pull(): Promise<void> {
    await this.#process?.end('SIGTERM');
  }

  async dispose(): Promise<void> {
    await this.pull();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** The server of peers/opcua-server.c; with certificate and key (DER files) it also offers Sign and SignAndEncrypt. */
export async function open62541(...credentials: [] | [certificate: string, key: string]): Promise<Peer> {
  const folder = join(BUILT, 'opcua');
  await run(join(SOURCES, 'opcua-server.sh'), [folder]);
  const port = await freePort();
  return new Peer(port, join(folder, 'run'), [String(port), ...credentials]);
}

/** The full path of a program, also of those that only the administrator's PATH has. */
function program(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

async function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  return run(command, args).then(
    () => true,
    () => false,
  );
}

/** Something waits for datagrams at the port; it would answer none that is not its protocol. (proc(5), /proc/net/udp) */
async function isBound(port: number): Promise<true | undefined> {
  const table = await readFile('/proc/net/udp', 'utf8');
  return table.includes(`0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} `) ? true : undefined;
}

function accepts(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(undefined));
    socket.once('connect', () => socket.destroy());
  });
}
