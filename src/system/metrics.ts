/** Metrics for Prometheus: what the house tells of itself when it is asked, and the process's own figures. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

export interface MetricValue {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One name with all its values. A counter only rises while the process lives. */
export interface MetricFamily {
  readonly name: `twinbox_${string}`;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly values: readonly MetricValue[];
}

/** Version 0.0.4 of the text format. */
export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

export class Metrics {
  readonly #process = new Registry();

  constructor() {
    collectDefaultMetrics({ register: this.#process, prefix: 'twinbox_' });
  }

  /** The text of a scrape: these, and the process's own. */
  async text(families: readonly MetricFamily[]): Promise<string> {
    const house = new Registry();
    for (const family of families) render(family, house);
    return `${await house.metrics()}${await this.#process.metrics()}`;
  }
}

function render({ name, help, type, values }: MetricFamily, register: Registry): void {
  const labelNames = Object.keys(values[0]?.labels ?? {});
  const options = { name, help, labelNames, registers: [register] };
  if (type === 'counter') {
    const counter = new Counter(options);
    for (const { labels = {}, value } of values) counter.inc(labels, value);
  } else {
    const gauge = new Gauge(options);
    for (const { labels = {}, value } of values) gauge.set(labels, value);
  }
}
