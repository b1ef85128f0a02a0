/**
 * B10: `GET /v1/telemetry/latest` with ten tags at the built daemon, with its token and tenant: CPU time of the whole process a request, and
 * requests a second; beside it, in alternating rounds, a bare `node:http` server that sends the same body. On a busy machine the ratio is the
 * figure to trust. Option: seconds of each round (3).
 */
import { TestDaemon } from '../test/support/daemon.ts';
import { TestProcess } from '../test/support/process.ts';
import { eventually } from '../test/support/wait.ts';
import { closedLoop, type Request, type Target, targetOf } from './http-load.ts';
import { type Benchmark, median, round } from './result.ts';

const TAGS = 10;
const CONNECTIONS = 64; // so that the server always has another request to read
const ROUNDS = 7;

const SOURCE = {
  id: 'ds-sim',
  name: 'Simulator',
  type: 'simulator',
  config: { polling_interval_ms: 1_000 },
  tags: Array.from({ length: TAGS }, (_, tag) => ({ tag_name: `tag-${tag}`, asset_id: 'pump', waveform: 'random_walk', mean: 50 })),
};

/** A server of nothing but `node:http`; prints its port, and its CPU time in µs for each line it reads. */
const BARE_SERVER = `
const body = process.argv[1];
const server = require('node:http').createServer((request, response) => {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
});
server.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port));
`;

interface Server {
  readonly target: Target;
  readonly request: Request;
  cpuUs(): Promise<number>;
}

interface Round {
  readonly us: number;
  readonly perSecond: number;
}

async function measure({ target, request, cpuUs }: Server, ms: number): Promise<Round> {
  const before = await cpuUs();
  const { requests, seconds } = await closedLoop(target, request, { connections: CONNECTIONS, ms });
  return { us: ((await cpuUs()) - before) / requests, perSecond: requests / seconds };
}

export const benchmark: Benchmark = {
  title: 'HTTP: the present values of ten tags',
  async run([seconds = '3']) {
    const ms = Number(seconds) * 1000;
    const daemon = await TestDaemon.start({ sources: [SOURCE] });
    const path = '/v1/telemetry/latest?asset_id=pump';
    const body = await eventually(
      async () => {
        const answer = await daemon.get(path);
        return answer.body.data.length === TAGS ? JSON.stringify(answer.body) : undefined;
      },
      { what: 'all tags have values', timeoutMs: 10_000 },
    );
    const bare = new TestProcess(process.execPath, ['-e', BARE_SERVER, body]);
    try {
      const port = await eventually(async () => /port (\d+)/.exec(bare.output)?.[1], {
        what: 'the bare server listens',
        timeoutMs: 10_000,
      });
      const ours: Server = { target: targetOf(daemon.url), request: { path, token: daemon.token }, cpuUs: () => daemon.cpuUs() };
      const theirs: Server = { target: { host: '127.0.0.1', port: Number(port) }, request: { path }, cpuUs: () => bare.cpuUs() };
      await measure(ours, ms); // warms both up
      await measure(theirs, ms);
      const rounds: { ours: Round; theirs: Round }[] = [];
      for (let at = 0; at < ROUNDS; at++) rounds.push({ ours: await measure(ours, ms), theirs: await measure(theirs, ms) });
      return {
        metrics: {
          us_per_value: round(median(rounds.map((each) => each.ours.us)) / TAGS, 2),
          us_per_request: round(median(rounds.map((each) => each.ours.us)), 1),
          requests_per_s: Math.round(median(rounds.map((each) => each.ours.perSecond))),
          node_http_us_per_request: round(median(rounds.map((each) => each.theirs.us)), 1),
          times_node_http: round(median(rounds.map((each) => each.ours.us / each.theirs.us)), 2),
        },
        goal: { us_per_request: 18, requests_per_s: 50_000, times_node_http: 1.3 },
        atLeast: ['requests_per_s'],
      };
    } finally {
      await bare.end('SIGTERM');
      await daemon.dispose();
    }
  },
};
