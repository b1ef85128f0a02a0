/**
 * B11: latency of 500 requests a second, open loop, while 10,000 tags bring 100,000 values a second and a day of late samples is sealed and
 * compacted behind. Latest values and twins in turn, and a history of ten minutes every twentieth time. Option: seconds (180).
 */
import { TestDaemon } from '../test/support/daemon.ts';
import { openLoop, type Request, targetOf } from './http-load.ts';
import { type Benchmark, load, quantile, round } from './result.ts';

const SOURCES = 2;
const TAGS_EACH = 5_000;
const TAGS_OF_ASSET = 10;
const POLL_MS = 100;
const REQUESTS_PER_S = 500;
const LATE_TAGS = 200;
const LATE_SAMPLES_EACH = 1_000;

function sourceOf(index: number) {
  const tags = Array.from({ length: TAGS_EACH }, (_, tag) => ({
    ...{ tag_name: `tag-${tag % TAGS_OF_ASSET}`, asset_id: `asset-${index}-${Math.floor(tag / TAGS_OF_ASSET)}` },
    ...{ waveform: 'ramp', mean: 50, amplitude: 20, period_ms: 60_000 + tag },
  }));
  return { id: `ds-${index}`, name: `Source ${index}`, type: 'simulator', config: { polling_interval_ms: POLL_MS }, tags };
}

/** A day that is over and was missing: it is sealed and compacted as soon as it is there. */
async function sendYesterday(daemon: TestDaemon): Promise<void> {
  const startMs = Date.now() - 2 * 86_400_000;
  for (let tag = 0; tag < LATE_TAGS; tag += 5) {
    const data = Array.from({ length: 5 * LATE_SAMPLES_EACH }, (_, at) => ({
      asset_id: 'late',
      tag_name: `tag-${tag + (at % 5)}`,
      value: Math.sin(at) * 100,
      timestamp: new Date(startMs + Math.floor(at / 5) * 60_000).toISOString(),
    }));
    const { status } = await daemon.post('/v1/telemetry', { data });
    if (status !== 200) throw new Error(`late samples were answered with ${status}`);
  }
}

interface Status {
  readonly store: { readonly samples: number; readonly days: number; readonly unsealed_windows: number };
  readonly sources: readonly { readonly ledger: { readonly committed: number; readonly dropped: object } }[];
}

async function statusOf(daemon: TestDaemon): Promise<Status> {
  return (await daemon.get('/v1/status')).body.data;
}

export const benchmark: Benchmark = {
  title: 'HTTP latency under 100,000 values a second',
  async run([seconds = '180']) {
    const daemon = await TestDaemon.start({ sources: Array.from({ length: SOURCES }, (_, index) => sourceOf(index)) });
    try {
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      const { token } = daemon;
      const assets = Array.from({ length: 40 }, (_, at) => `asset-${at % SOURCES}-${at * 12}`);
      const requests: Request[] = assets.flatMap((asset, at) => [
        { path: `/v1/telemetry/latest?asset_id=${asset}`, token },
        at % 10 > 0
          ? { path: `/api/twins/${asset}`, token }
          : {
              path: `/v1/telemetry?asset_id=${asset}&tag_name=tag-1&interval=10s&start=${new Date(Date.now() - 600_000).toISOString()}`,
              token,
            },
      ]);
      await openLoop(targetOf(daemon.url), requests, { perSecond: REQUESTS_PER_S / 5, ms: 3_000 }); // warms up
      const before = await statusOf(daemon);
      const beforeUs = await daemon.cpuUs();
      const late = sendYesterday(daemon);
      const startMs = performance.now();
      const latenciesMs = await openLoop(targetOf(daemon.url), requests, { perSecond: REQUESTS_PER_S, ms: Number(seconds) * 1_000 });
      const elapsedS = (performance.now() - startMs) / 1_000;
      const cpuUs = (await daemon.cpuUs()) - beforeUs;
      await late;
      const after = await statusOf(daemon);
      const committed = (status: Status) => status.sources.reduce((sum, { ledger }) => sum + ledger.committed, 0);
      const dropped = after.sources
        .flatMap(({ ledger }) => Object.values(ledger.dropped) as number[])
        .reduce((sum, count) => sum + count, 0);
      console.log(
        `  days in files ${before.store.days} → ${after.store.days}, unsealed windows ${after.store.unsealed_windows}, load ${load()}`,
      );
      const at = (share: number) => round(quantile(latenciesMs, share), 2);
      return {
        metrics: {
          p50_ms: at(0.5),
          p99_ms: at(0.99),
          p999_ms: at(0.999),
          max_ms: round(Math.max(...latenciesMs), 1),
          values_per_s: Math.round((committed(after) - committed(before)) / elapsedS),
          cpu_share: round(cpuUs / 1e6 / elapsedS, 2),
          lost: dropped,
          rss_mb: Math.round((await daemon.residentBytes()) / 1e6),
        },
        goal: { p99_ms: 3, p999_ms: 10, lost: 0 },
      };
    } finally {
      await daemon.dispose();
    }
  },
};
