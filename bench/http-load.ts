/** Makes HTTP/1.1 requests over raw sockets, so that the load costs the machine little beside what is measured. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Request {
  readonly method?: 'GET' | 'POST';
  /** With its query. */
  readonly path: string;
  readonly token?: string;
  /** JSON text. */
  readonly body?: string;
}

export interface Target {
  readonly host: string;
  readonly port: number;
}

export function targetOf(url: string): Target {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

/** As it goes over the wire. */
export function bytesOf({ method = 'GET', path, token, body }: Request): Buffer {
  const content = body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: bench\r\n${authorization}${content}\r\n${body ?? ''}`);
}

/** One kept connection, one request at a time. */
export class Connection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #settle: { resolve: (status: number) => void; reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data) => this.#take(data));
    socket.on('error', (error) => this.#settle?.reject(error));
    socket.on('close', () => this.#settle?.reject(new Error('the server closed the connection')));
  }

  static async open({ host, port }: Target): Promise<Connection> {
    const socket = connect({ host, port, noDelay: true });
    await once(socket, 'connect');
    return new Connection(socket);
  }

  /** Resolves with the status when the answer is there to its last byte. */
  send(request: Buffer): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#settle = undefined;
    this.#socket.destroy();
  }

  #take(data: Buffer): void {
    this.#received = this.#received.length === 0 ? data : Buffer.concat([this.#received, data]);
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = this.#received.toString('latin1', 0, headEnd);
    const length = /content-length: (\d+)/i.exec(head)?.[1];
    if (length === undefined) {
      if (!this.#received.subarray(headEnd).includes('0\r\n\r\n')) return; // chunked
    } else if (this.#received.length < headEnd + 4 + Number(length)) return;
    this.#received = Buffer.alloc(0);
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.resolve(Number(head.slice(9, 12)));
  }
}

export interface ClosedLoop {
  readonly requests: number;
  readonly seconds: number;
}

/**
 * Each connection asks again as soon as it has its answer. Rejects when an answer is not 200. This process never sleeps meanwhile: waking it up
 * would be billed to the server that answers, and the more so the faster this one is.
 */
export async function closedLoop(
  target: Target,
  request: Request,
  { connections, ms }: { connections: number; ms: number },
): Promise<ClosedLoop> {
  const bytes = bytesOf(request);
  const startMs = performance.now();
  let requests = 0;
  let running = true;
  const stayAwake = () => {
    if (running) setImmediate(stayAwake);
  };
  stayAwake();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const connection = await Connection.open(target);
      while (performance.now() - startMs < ms) {
        expectOk(await connection.send(bytes), request);
        requests++;
      }
      connection.close();
    }),
  ).finally(() => {
    running = false;
  });
  return { requests, seconds: (performance.now() - startMs) / 1000 };
}

/** Half of what the daemon takes at once. */
const MAX_CONNECTIONS = 128;

/**
 * So many requests a second whatever the answers do: the latency of each, in ms, counts from when it was due, so that a stall is not
 * hidden by the requests it held up. `requests` are sent in turn.
 */
export async function openLoop(
  target: Target,
  requests: readonly Request[],
  { perSecond, ms }: { readonly perSecond: number; readonly ms: number },
): Promise<readonly number[]> {
  const texts = requests.map(bytesOf);
  const total = Math.round((perSecond * ms) / 1000);
  const latencies: number[] = [];
  const startMs = performance.now();
  let next = 0;
  /** Takes the next request, waits until it is due, and sends it: as many connections are busy as the answers make necessary. */
  const serve = async () => {
    const connection = await Connection.open(target);
    while (next < total) {
      const index = next++;
      const dueMs = startMs + (index * 1000) / perSecond;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      const at = index % requests.length;
      expectOk(await connection.send(texts[at] as Buffer), requests[at] as Request);
      latencies.push(performance.now() - dueMs);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: MAX_CONNECTIONS }, serve));
  return latencies;
}

function expectOk(status: number, { path }: Request): void {
  if (status !== 200) throw new Error(`${path} was answered with ${status}`);
}
