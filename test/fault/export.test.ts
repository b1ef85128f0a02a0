/** A million samples as one file from the built daemon: exact, in bounded memory, and no client who stalls or goes hurts anybody. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { eventually, figure } from '../support/wait.ts';

const ROWS = 1_000_000;
const BATCH = 5_000;
const TAGS = 10;
const START_MS = Date.parse('2026-01-01T00:00:00Z');
const RANGE = `start=2026-01-01&end=2026-01-03`;
/** Measured 20–50 MB, most of it garbage of the young generation. A copy of the whole would be 75 MB as text and 250 as rows. */
const MAX_GROWTH_BYTES = 128 * 1024 * 1024;

const timeOf = (row: number) => new Date(START_MS + Math.floor(row / TAGS) * 1_000).toISOString().replace('.000Z', 'Z');
const sampleOf = (row: number) => (row * 7_919) / 1_000;

describe('the export of a million samples', () => {
  let daemon: TestDaemon;

  beforeAll(async () => {
    daemon = await TestDaemon.start({ log: { level: 'warn' } });
    for (let first = 0; first < ROWS; first += BATCH) {
      const data = Array.from({ length: BATCH }, (_, index) => {
        const row = first + index;
        return { asset_id: 'line', tag_name: `t${row % TAGS}`, value: sampleOf(row), timestamp: timeOf(row) };
      });
      await eventually(async () => (await daemon.post('/v1/telemetry', { data })).status === 200 || undefined, {
        what: 'a batch is taken',
        timeoutMs: 30_000,
      });
    }
  });

  afterAll(() => daemon?.dispose());

  const open = (query: string, accept: string) =>
    fetch(`${daemon.url}/v1/telemetry?${query}`, { headers: { Authorization: `Bearer ${daemon.token}`, Accept: accept } });

  /** Every line that ends, without the text as a whole. */
  async function* linesOf(response: Response, onChunk: () => Promise<void>): AsyncGenerator<string> {
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      await onChunk();
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
    expect(rest).toBe('');
  }

  test.each(['text/csv', 'application/x-ndjson'])('as %s has every row, exactly, in bounded memory', async (accept) => {
    const before = await daemon.residentBytes();
    let highest = before;
    let chunks = 0;
    const response = await open(RANGE, accept);
    const watch = async () => {
      if (chunks++ % 20 === 0) highest = Math.max(highest, await daemon.residentBytes());
    };
    let row = accept === 'text/csv' ? -1 : 0;
    for await (const line of linesOf(response, watch)) {
      if (row >= 0) {
        const expected =
          accept === 'text/csv'
            ? `${timeOf(row)},"line","t${row % TAGS}",${sampleOf(row)},good,"api"\r`
            : `{"timestamp":"${timeOf(row)}","asset_id":"line","tag_name":"t${row % TAGS}","value":${sampleOf(row)},"quality":"good","data_source_id":"api"}`;
        if (line !== expected) expect(line).toBe(expected);
      }
      row++;
    }
    expect(row).toBe(ROWS);
    figure(`export of ${ROWS} rows as ${accept}: the daemon grew by ${Math.round((highest - before) / 1e6)} MB`);
    expect(highest - before).toBeLessThan(MAX_GROWTH_BYTES);
  });

  test('by interval has every bucket', async () => {
    let buckets = 0;
    let count = 0;
    for await (const line of linesOf(await open(`${RANGE}&interval=10s`, 'application/x-ndjson'), async () => undefined)) {
      buckets++;
      count += JSON.parse(line).count;
    }
    expect(buckets).toBe(ROWS / 10);
    expect(count).toBe(ROWS);
  });

  test('goes on for others while clients stall, and is free again when they go', async () => {
    const { hostname, port } = new URL(daemon.url);
    const before = await daemon.residentBytes();
    const stalled = await Promise.all(
      [1, 2].map(
        () =>
          new Promise<ReturnType<typeof connect>>((resolve) => {
            const socket = connect(Number(port), hostname, () => {
              socket.write(
                `GET /v1/telemetry?${RANGE} HTTP/1.1\r\nHost: box\r\nAccept: text/csv\r\nAuthorization: Bearer ${daemon.token}\r\n\r\n`,
              );
            });
            socket.once('readable', () => resolve(socket)); // and never read
          }),
      ),
    );
    expect((await open(RANGE, 'text/csv')).status).toBe(503);
    expect((await daemon.get('/v1/telemetry?asset_id=line&start=2026-01-01&per_page=10')).body.data).toHaveLength(10);
    expect((await daemon.post('/v1/telemetry', { data: [{ asset_id: 'other', tag_name: 't', value: 1 }] })).status).toBe(200);
    expect((await daemon.residentBytes()) - before).toBeLessThan(MAX_GROWTH_BYTES);
    for (const socket of stalled) socket.destroy();
    const again = await eventually(
      async () => {
        const response = await open(RANGE, 'text/csv');
        if (response.status === 200) return response;
        await response.arrayBuffer();
        return undefined;
      },
      { what: 'an export is possible again', timeoutMs: 10_000 },
    );
    await again.body?.cancel();
  });
});
