/** Finds ports for servers that must come back on the same one after they were killed. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports that the kernel gives to clients (from 32768 on): a client that tries a port of its own range, where
 * nobody listens, can be connected to itself.
 */
const FIRST = 20_000;
const LAST = 32_000;

const given = new Set<number>();

/** A port of 127.0.0.1 on which nobody listens; never the same twice in this process. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (!(await listening)) return false;
  server.close();
  await once(server, 'close');
  return true;
}
