/**
 * 100 clients of `GET /v1/stream` and ten events a second to each, all of them read and one of them stalled: CPU time of the daemon an event
 * delivered, latency from the sample's time until a client has it, and what was dropped. Options: clients (100), seconds (10).
 */
import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { TestDaemon } from '../test/support/daemon.ts';
import { targetOf } from './http-load.ts';
import { type Benchmark, quantile, round } from './result.ts';

const TAGS = 50;
const TOKENS_STREAMS = 32;
const SOURCE = {
  id: 'ds-sim',
  name: 'Simulator',
  type: 'simulator',
  config: { polling_interval_ms: 100 },
  tags: Array.from({ length: TAGS }, (_, tag) => ({ tag_name: `tag-${tag}`, asset_id: `asset-${tag % 10}`, waveform: 'random_walk' })),
};

/** A client as light as can be: counts events, and reads the time of the first row of each. */
class Listener {
  events = 0;
  dropped = 0;
  readonly latenciesMs: number[] = [];
  readonly #socket: Socket;
  #rest = '';

  constructor(daemon: TestDaemon, token: string) {
    this.#socket = connect({ ...targetOf(daemon.url), noDelay: true });
    this.#socket.on('error', () => undefined); // the daemon is killed at the end
    this.#socket.write(`GET /v1/stream HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    this.#socket.on('data', (data) => this.#take(data.toString('latin1')));
  }

  /** From now on it reads nothing, as a panel that hangs. */
  stall(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    const blocks = (this.#rest + text).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    for (const block of blocks) {
      if (block.includes('event: dropped')) this.dropped++;
      if (!block.includes('event: telemetry')) continue;
      this.events++;
      const timestamp = /"timestamp":"([^"]+)"/.exec(block)?.[1] ?? '';
      this.latenciesMs.push(Date.now() - Date.parse(timestamp));
    }
  }
}

/** A token has 32 streams; the daemon knows those of its configuration by their hash. */
function tokensOf(daemon: TestDaemon, count: number): readonly string[] {
  const make = (at: number) =>
    execFileSync(process.execPath, ['dist/main.js', 'token', 'create', '--name', `bench-${at}`, '--data-dir', daemon.dataDir], {
      encoding: 'utf8',
    });
  return Array.from({ length: count }, (_, at) => make(at).trim().split('\n').at(-1) as string);
}

export const benchmark: Benchmark = {
  title: 'many clients of the live stream',
  async run([clients = '100', seconds = '10']) {
    const daemon = await TestDaemon.start({ sources: [SOURCE] });
    const listeners: Listener[] = [];
    try {
      const tokens = tokensOf(daemon, Math.ceil((Number(clients) + 1) / TOKENS_STREAMS));
      for (let at = 0; at <= Number(clients); at++) listeners.push(new Listener(daemon, tokens[Math.floor(at / TOKENS_STREAMS)] as string));
      const stalled = listeners.pop() as Listener;
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      stalled.stall();
      for (const listener of listeners) {
        listener.events = 0;
        listener.latenciesMs.length = 0;
      }
      const beforeUs = await daemon.cpuUs();
      const startMs = performance.now();
      await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1_000));
      const cpuUs = (await daemon.cpuUs()) - beforeUs;
      const elapsedS = (performance.now() - startMs) / 1_000;
      const events = listeners.reduce((sum, listener) => sum + listener.events, 0);
      const latenciesMs = listeners.flatMap((listener) => listener.latenciesMs);
      stalled.close();
      return {
        metrics: {
          us_per_event: round(cpuUs / events, 1),
          events_per_client_per_s: round(events / listeners.length / elapsedS, 2),
          fewest_per_s: round(Math.min(...listeners.map((listener) => listener.events)) / elapsedS, 2),
          p50_ms: quantile(latenciesMs, 0.5),
          p99_ms: quantile(latenciesMs, 0.99),
          dropped: listeners.reduce((sum, listener) => sum + listener.dropped, 0),
        },
        goal: { dropped: 0 },
      };
    } finally {
      for (const listener of listeners) listener.close();
      await daemon.dispose();
    }
  },
};
