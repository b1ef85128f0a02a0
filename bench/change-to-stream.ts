/**
 * B9: a register changes at the PLC; how long until a client of `GET /v1/stream` has it, ms. The changes come at random within the
 * poll, 100 ms, the shortest that a configuration may ask for. The PLC, a few lines of Modbus TCP, and the client live in this process.
 * Option: how many changes (300).
 */
import { once } from 'node:events';
import net from 'node:net';
import { TestDaemon } from '../test/support/daemon.ts';
import { SseReader } from '../test/support/sse.ts';
import { eventually } from '../test/support/wait.ts';
import { type Benchmark, quantile, round } from './result.ts';

const POLL_MS = 100;
/** Beyond the poll. */
const GOAL_MS = 3;
const REGISTERS = 10;
const MBAP_BYTES = 7;

/** Answers function 3 for any registers: all of them hold `value`. (Modbus Application Protocol V1.1b3 §6.3) */
class Plc {
  value = 0;
  readonly #server = net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined); // the daemon is killed at the end
    socket.on('data', (request) => socket.write(this.#answer(request)));
  });

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as net.AddressInfo).port;
  }

  close(): void {
    this.#server.close();
  }

  #answer(request: Buffer): Buffer {
    const registers = request.readUInt16BE(MBAP_BYTES + 3);
    const answer = Buffer.alloc(MBAP_BYTES + 2 + 2 * registers);
    request.copy(answer, 0, 0, MBAP_BYTES);
    answer.writeUInt16BE(3 + 2 * registers, 4);
    answer.writeUInt8(3, MBAP_BYTES);
    answer.writeUInt8(2 * registers, MBAP_BYTES + 1);
    for (let at = 0; at < registers; at++) answer.writeUInt16BE(this.value, MBAP_BYTES + 2 + 2 * at);
    return answer;
  }
}

function configFor(port: number) {
  const tags = Array.from({ length: REGISTERS }, (_, address) => ({
    ...{ tag_name: `r${address}`, asset_id: 'plc', register_type: 'holding', address, data_type: 'uint16' },
  }));
  const config = { host: '127.0.0.1', port, polling_interval_ms: POLL_MS };
  return { sources: [{ id: 'ds-plc', name: 'PLC', type: 'modbus', config, tags }] };
}

/** Calls back with each value of the tag that the stream tells. */
async function follow(
  daemon: TestDaemon,
  path: string,
  { hear, signal }: { hear: (value: number) => void; signal: AbortSignal },
): Promise<void> {
  const { body } = await fetch(`${daemon.url}${path}`, { headers: { Authorization: `Bearer ${daemon.token}` }, signal });
  const reader = new SseReader();
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    reader.take(chunk);
    for (const { value } of reader.rows) hear(value as number);
    reader.events.length = 0;
  }
}

export const benchmark: Benchmark = {
  title: 'a register changes at the PLC until a client of the stream knows',
  async run([changes = '300']) {
    const plc = new Plc();
    const daemon = await TestDaemon.start(configFor(await plc.listen()));
    const end = new AbortController();
    const latenciesMs: number[] = [];
    let heard = -1;
    const following = follow(daemon, '/v1/stream?asset_id=plc&tags=r3', {
      signal: end.signal,
      hear: (value) => {
        heard = value;
      },
    });
    following.catch(() => undefined); // ends by its signal
    try {
      await eventually(() => (heard === 0 ? true : undefined), { what: 'the stream tells the first value', timeoutMs: 10_000 });
      for (let value = 1; value <= Number(changes); value++) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS + Math.random() * POLL_MS));
        const changedMs = performance.now();
        plc.value = value;
        while (heard !== value) {
          if (performance.now() - changedMs > 5_000) throw new Error(`the change to ${value} was never told`);
          await new Promise((resolve) => setImmediate(resolve));
        }
        latenciesMs.push(performance.now() - changedMs);
      }
    } finally {
      end.abort();
      await daemon.dispose();
      plc.close();
    }
    const at = (share: number) => round(quantile(latenciesMs, share), 1);
    return {
      metrics: { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: round(Math.max(...latenciesMs), 1) },
      goal: { p99_ms: POLL_MS + GOAL_MS },
    };
  },
};
