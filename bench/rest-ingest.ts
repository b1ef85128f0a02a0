/**
 * `POST /v1/telemetry` at the built daemon, each answer after the commit: points a second and CPU time of the whole daemon a point, with many
 * points a request and with one. Option: seconds of each round (5).
 */
import { TestDaemon } from '../test/support/daemon.ts';
import { closedLoop, type Request, targetOf } from './http-load.ts';
import { type Benchmark, round } from './result.ts';

const TAGS = 1_000;
const CONNECTIONS = 4;

/** Points without a time get that of their arrival, so that a request may be sent again and again. */
function requestOf(points: number, token: string): Request {
  const data = Array.from({ length: points }, (_, at) => ({ asset_id: 'plant', tag_name: `tag-${at % TAGS}`, value: 20 + (at % 97) / 8 }));
  return { method: 'POST', path: '/v1/telemetry', token, body: JSON.stringify({ data }) };
}

interface Rate {
  readonly pointsPerS: number;
  readonly usPerPoint: number;
}

async function measure(daemon: TestDaemon, points: number, { connections, ms }: { connections: number; ms: number }): Promise<Rate> {
  const request = requestOf(points, daemon.token);
  await closedLoop(targetOf(daemon.url), request, { connections, ms: ms / 4 }); // warms up
  const beforeUs = await daemon.cpuUs();
  const { requests, seconds } = await closedLoop(targetOf(daemon.url), request, { connections, ms });
  return { pointsPerS: (requests * points) / seconds, usPerPoint: ((await daemon.cpuUs()) - beforeUs) / (requests * points) };
}

export const benchmark: Benchmark = {
  title: 'telemetry over REST, acknowledged when it is on disk',
  async run([seconds = '5']) {
    const ms = Number(seconds) * 1_000;
    const daemon = await TestDaemon.start({});
    try {
      const bulk = await measure(daemon, TAGS, { connections: CONNECTIONS, ms });
      const single = await measure(daemon, 1, { connections: 64, ms });
      return {
        metrics: {
          points_per_s: Math.round(bulk.pointsPerS),
          us_per_point: round(bulk.usPerPoint, 2),
          single_points_per_s: Math.round(single.pointsPerS),
          us_per_single_point: round(single.usPerPoint, 1),
        },
        goal: {},
      };
    } finally {
      await daemon.dispose();
    }
  },
};
