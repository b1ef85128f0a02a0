/**
 * B16: more than the box can take. 200,000 polled values a second and as many points over REST as it will have, while the disk stands
 * still for five seconds (its file system is frozen; needs root) and an MQTT broker is gone for a minute. What was acknowledged must be
 * stored, the books of every source balanced at each look, and all be back soon. Options: seconds that the broker is away (60).
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Mosquitto } from '../test/interop/peers.ts';
import { mqttSource, Publisher } from '../test/interop/plant.ts';
import { TestDaemon } from '../test/support/daemon.ts';
import { allSamples } from '../test/support/history.ts';
import { eventually } from '../test/support/wait.ts';
import { withLoopDevice } from './loop-device.ts';
import { type Benchmark, round } from './result.ts';
import { inTemporaryFolder } from './temporary-folder.ts';

const DISK_BYTES = 4 * 2 ** 30;
const TAGS = 20_000;
const POLL_MS = 100;
const STALL_MS = 5_000;
const POSTERS = 4;
const POINTS = 1_000;
const BACK_TIMEOUT_MS = 60_000;
const BASE_MS = Date.parse('2026-01-01T00:00:00Z');

const POLLED = {
  id: 'ds-sim',
  name: 'Simulator',
  type: 'simulator',
  config: { polling_interval_ms: POLL_MS },
  tags: Array.from({ length: TAGS }, (_, tag) => ({
    tag_name: `tag-${tag % 100}`,
    asset_id: `asset-${Math.floor(tag / 100)}`,
    waveform: 'ramp',
  })),
};

/** Sends points with times of their own, each poster to a tag of its own, and knows which of them were acknowledged. */
class Poster {
  readonly acknowledged: number[] = [];
  refused = 0;
  readonly #daemon: TestDaemon;
  readonly tag: string;
  #next = 0;

  constructor(daemon: TestDaemon, tag: string) {
    this.#daemon = daemon;
    this.tag = tag;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await this.send(POINTS);
  }

  /** True when they were acknowledged; what was refused is sent again the next time. */
  async send(points: number): Promise<boolean> {
    const data = Array.from({ length: points }, (_, at) => ({
      ...{ asset_id: 'rest', tag_name: this.tag, value: this.#next + at },
      timestamp: new Date(BASE_MS + this.#next + at).toISOString(),
    }));
    const { status, body } = await this.#daemon.post('/v1/telemetry', { data });
    if (status === 503) {
      this.refused += points;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return false;
    }
    if (status !== 200 || body.data.accepted !== points) throw new Error(`${status}: ${JSON.stringify(body)}`);
    for (let at = 0; at < points; at++) this.acknowledged.push(this.#next + at);
    this.#next += points;
    return true;
  }

  /** How many acknowledged points history does not have as they were sent. */
  async lost(): Promise<number> {
    const found = await allSamples(this.#daemon, { asset: 'rest', tag: this.tag, fromMs: BASE_MS, toMs: BASE_MS + this.#next });
    const values = new Map(found.map(({ timeMs, value }) => [timeMs - BASE_MS, value]));
    return this.acknowledged.filter((n) => values.get(n) !== n).length;
  }
}

interface Ledger {
  readonly received: number;
  readonly committed: number;
  readonly deadbanded: number;
  readonly deduplicated: number;
  readonly in_flight: number;
  readonly rejected: Readonly<Record<string, number>>;
  readonly dropped: Readonly<Record<string, number>>;
}

const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((total, count) => total + count, 0);

/** By how many readings the books of all sources are wrong: 0. */
async function imbalance(daemon: TestDaemon): Promise<{ readonly wrongBy: number; readonly dropped: number; readonly lag: number }> {
  const { data } = (await daemon.get('/v1/status')).body;
  const ledgers: readonly Ledger[] = data.sources.map(({ ledger }: { ledger: Ledger }) => ledger);
  const wrong = ledgers.map((ledger) => {
    const { received, committed, deadbanded, deduplicated, in_flight: inFlight, rejected, dropped } = ledger;
    return Math.abs(received - committed - deadbanded - deduplicated - inFlight - sum(rejected) - sum(dropped));
  });
  return { wrongBy: Math.max(...wrong), dropped: ledgers.reduce((total, { dropped }) => total + sum(dropped), 0), lag: data.store.lag };
}

async function secondsUntil(what: string, isSo: () => Promise<true | undefined>): Promise<number> {
  const startMs = performance.now();
  await eventually(isSo, { what, timeoutMs: BACK_TIMEOUT_MS, everyMs: 10 });
  return round((performance.now() - startMs) / 1_000, 2);
}

interface Outcome {
  readonly backS: number;
  readonly lost: number;
}

/** The file system of the data folder takes no write for a while. */
async function stallDisk(daemon: TestDaemon, dir: string): Promise<Outcome & { readonly refused: number }> {
  const end = new AbortController();
  const posters = Array.from({ length: POSTERS }, (_, at) => new Poster(daemon, `flood-${at}`));
  const flood = Promise.all(posters.map((poster) => poster.run(end.signal)));
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const probe = new Poster(daemon, 'probe');
  execFileSync('fsfreeze', ['-f', dir]);
  try {
    await new Promise((resolve) => setTimeout(resolve, STALL_MS));
  } finally {
    execFileSync('fsfreeze', ['-u', dir]);
  }
  const backS = await secondsUntil('points are acknowledged again', async () => (await probe.send(1)) || undefined);
  end.abort();
  await flood;
  let lost = await probe.lost();
  for (const poster of posters) lost += await poster.lost();
  return { backS, lost, refused: posters.reduce((total, { refused }) => total + refused, 0) };
}

/** The publisher keeps what the broker does not take; nothing that the broker acknowledged may be missing. */
async function takeBrokerAway(daemon: TestDaemon, broker: Mosquitto, seconds: number): Promise<Outcome> {
  const publisher = new Publisher(broker.url);
  const startMs = Date.now();
  const newest = async () => (await daemon.get('/v1/telemetry/latest?asset_id=oven-1&tags=counter')).body.data[0]?.value ?? -1;
  await eventually(async () => ((await newest()) > 10 ? true : undefined), { what: 'messages arrive', timeoutMs: BACK_TIMEOUT_MS });
  await broker.stop();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const before = await newest();
  await broker.start();
  const backS = await secondsUntil('messages arrive again', async () => ((await newest()) > before ? true : undefined));
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await publisher.close();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const found = await allSamples(daemon, { asset: 'oven-1', tag: 'counter', fromMs: startMs - 1_000, toMs: Date.now() + 1_000 });
  const values = new Map(found.map(({ timeMs, value }) => [timeMs, value]));
  return { backS, lost: [...publisher.sent].filter(([timeMs, n]) => values.get(timeMs) !== n).length };
}

export const benchmark: Benchmark = {
  title: 'overload, a disk that stands still, a broker that is gone',
  run([brokerSeconds = '60']) {
    return inTemporaryFolder((folder) =>
      withLoopDevice(folder, DISK_BYTES, async ({ dir }) => {
        const broker = await Mosquitto.create();
        await broker.start();
        const daemon = await TestDaemon.start({ data_dir: join(dir, 'data'), sources: [POLLED, mqttSource(broker.url)] });
        const wrong: number[] = [];
        const look = setInterval(
          () =>
            void imbalance(daemon).then(
              ({ wrongBy }) => wrong.push(wrongBy),
              () => undefined,
            ),
          500,
        );
        try {
          const disk = await stallDisk(daemon, dir);
          const rssMb = Math.round((await daemon.residentBytes()) / 1e6);
          const away = await takeBrokerAway(daemon, broker, Number(brokerSeconds));
          const end = await imbalance(daemon);
          return {
            metrics: {
              lost: disk.lost + away.lost,
              books_wrong_by: Math.max(...wrong, end.wrongBy),
              back_s: [disk.backS, away.backS],
              dropped_and_counted: end.dropped,
              points_refused: disk.refused,
              looks_at_the_books: wrong.length,
              rss_mb: rssMb,
            },
            goal: { lost: 0, books_wrong_by: 0, back_s: [2, 2] },
          };
        } finally {
          clearInterval(look);
          await daemon.dispose();
          await broker.dispose();
        }
      }),
    );
  },
};
