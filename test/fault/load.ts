/** Load on a daemon that may die at any moment, with exact memory of what it acknowledged. */
import mqtt, { type MqttClient } from 'mqtt';
import type { TestDaemon } from '../support/daemon.ts';

/** Sample n of a series lies at the base plus n milliseconds and has the value n, so that nothing lost, changed or doubled can hide. */
export const BASE_MS = Math.floor(Date.now() / 1_000) * 1_000 - 12 * 3_600_000;

const BATCH_POINTS = 200;
const WORKERS = 4;
/** Every so many numbers come with a text and a boolean of the same moment. */
const TEXT_EVERY = 10;

export const REST_ASSET = 'rest';
export const MQTT_ASSET = 'line';

/** What sample n of a tag must be. */
export function expectedValue(tag: string, n: number): number | string | boolean {
  return tag === 'text' ? `text ${n} ü` : tag === 'flag' ? n % (2 * TEXT_EVERY) === 0 : n;
}

/** True when a tag has a sample n at all. */
export function hasSample(tag: string, n: number): boolean {
  return tag === 'n' || n % TEXT_EVERY === 0;
}

/** Half-open range of samples. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** POST /v1/telemetry as fast as the daemon answers. */
export class RestLoad {
  readonly #acknowledged: Span[] = [];
  #next = 0;
  #points = 0;
  #onAnswer: (() => void) | undefined;

  /** Batches that were answered with 2xx, in the order of the answers. */
  get acknowledged(): readonly Span[] {
    return this.#acknowledged;
  }

  /** One past the last sample that was ever sent. */
  get sent(): number {
    return this.#next;
  }

  get acknowledgedPoints(): number {
    return this.#points;
  }

  /** Resolves right behind the next acknowledgement: where a daemon that acknowledges too early has most to lose. */
  acknowledgement(): Promise<void> {
    return new Promise((resolve) => {
      this.#onAnswer = resolve;
    });
  }

  /** Until the daemon dies or the signal aborts; then every request has been answered or has failed. */
  async run(daemon: TestDaemon, signal: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: WORKERS }, () => this.#work(daemon, signal)));
  }

  async #work(daemon: TestDaemon, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const from = this.#next;
      const to = from + BATCH_POINTS;
      this.#next = to;
      const data = points(from, to);
      const answer = await daemon.post('/v1/telemetry', { data }).catch(() => undefined); // it was killed: nothing is promised
      if (!answer) return;
      if (answer.status === 503) continue; // refused, or stopping: nothing of it was kept, or promised
      if (answer.status !== 200) throw new Error(`POST /v1/telemetry: ${answer.status} ${JSON.stringify(answer.body)}`);
      if (answer.body.data.accepted !== data.length) throw new Error(`not all accepted: ${JSON.stringify(answer.body)}`);
      this.#acknowledged.push({ from, to });
      this.#points += data.length;
      this.#onAnswer?.();
    }
  }
}

function points(from: number, to: number): object[] {
  const all: object[] = [];
  for (let n = from; n < to; n++) {
    const timestamp = new Date(BASE_MS + n).toISOString();
    for (const tag_name of ['n', 'text', 'flag']) {
      if (hasSample(tag_name, n)) all.push({ asset_id: REST_ASSET, tag_name, value: expectedValue(tag_name, n), timestamp });
    }
  }
  return all;
}

const PUBLISH_EVERY_MS = 10;
const PUBLISHED_AT_ONCE = 10;
const MAX_UNACKNOWLEDGED = 1_000;

/** QoS 1 publishes through the broker, about a thousand a second, whether the daemon lives or not. */
export class MqttLoad {
  readonly #client: MqttClient;
  readonly #timer: NodeJS.Timeout;
  #next = 0;
  #taken = 0;

  constructor(url: string) {
    this.#client = mqtt.connect(url);
    this.#timer = setInterval(() => this.#publish(), PUBLISH_EVERY_MS);
  }

  /** How many the broker has taken; once the load is stopped, samples 0 to this. */
  get taken(): number {
    return this.#taken;
  }

  /** Resolves when the broker has taken everything. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#client.endAsync(); // waits for the acknowledgements
    if (this.#taken !== this.#next) throw new Error(`the broker took ${this.#taken} of ${this.#next} messages`);
  }

  #publish(): void {
    if (!this.#client.connected) return;
    for (let i = 0; i < PUBLISHED_AT_ONCE && this.#next - this.#taken < MAX_UNACKNOWLEDGED; i++) {
      const n = this.#next++;
      this.#client.publish(`load/${MQTT_ASSET}/n`, JSON.stringify({ n, t: BASE_MS + n }), { qos: 1 }, (error) => {
        if (!error) this.#taken++;
      });
    }
  }
}

/** The sources of the fault tests: what is published, and values that the daemon makes itself. */
export function loadSources(brokerUrl: string): object[] {
  return [
    {
      id: 'ds-load',
      name: 'Load',
      type: 'mqtt',
      config: { broker_url: brokerUrl, qos: 1 },
      tags: [{ topic: 'load/{asset}/{tag}', json_path: '$.n', timestamp_path: '$.t' }],
    },
    {
      id: 'ds-sim',
      name: 'Simulator',
      type: 'simulator',
      config: { polling_interval_ms: 100 },
      tags: Array.from({ length: 20 }, (_, index) => ({ tag_name: `s${index}`, asset_id: 'sim', waveform: 'random_walk' })),
    },
  ];
}
