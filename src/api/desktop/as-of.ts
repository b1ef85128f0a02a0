/** The values of a twin as they were at some time, from the store. */
import { isBad, qualityOf, type StatusCode, UNCERTAIN } from '../../core/status.ts';
import type { SeriesId } from '../../core/tag.ts';
import { MIN_TIME_MS, type UnixMs } from '../../core/time.ts';
import { type Binding, type LiveReading, type Twin, tagOf } from '../../twin/twin.ts';
import { invalid } from '../problem.ts';
import type { ApiServices } from '../services.ts';
import { cellOf } from '../values.ts';

/** Further back the search would open a file for each day of years. What the present value alone knows of is found all the same. */
const LOOK_BACK_MS = 31 * 86_400_000;

export interface PastValues {
  readonly fromMs: UnixMs;
  /** Undefined when the tag had no usable sample. */
  reading(tenant: string, binding: Binding): LiveReading | undefined;
}

/** The newest usable sample of each tag at or before `atMs`. Throws `validation_error` for a time to come, and as `store.asOf`. */
export async function valuesAsOf(services: ApiServices, twin: Twin, atMs: UnixMs, signal: AbortSignal): Promise<PastValues> {
  if (atMs > services.clock.now()) throw invalid([{ field: 'at', message: 'must not lie in the future' }]);
  const fromMs = Math.max(atMs - LOOK_BACK_MS, MIN_TIME_MS) as UnixMs;
  const range = { from: fromMs, to: (atMs + 1) as UnixMs };
  const bindings = [...twin.sensors.map(({ binding }) => binding), ...twin.actuators.map((actuator) => tagOf(twin, actuator))];
  const found = new Map<string, LiveReading>();
  // Series of a tag merge, so what is bound to one source alone is asked for by itself.
  for (const source of new Set(bindings.map((binding) => binding.source))) {
    const series = seriesOf(services, twin.tenant, bindings, source);
    if (series.length === 0) continue;
    const columns = await services.store.asOf({ series, range }, signal);
    for (let row = 0; row < columns.rows; row++) {
      const def = services.series.definition(columns.series[row] as SeriesId);
      const timeMs = columns.timeMs[row] as UnixMs;
      const status = columns.status[row] as StatusCode;
      found.set(keyOf({ asset: def.asset, tag: def.tag, ...(source !== undefined && { source }) }), {
        value: cellOf(columns, row, def.valueType),
        valueMs: timeMs,
        quality: qualityOf(status),
        status,
        newestMs: timeMs,
        source: def.source,
      });
    }
  }
  return { fromMs, reading: (tenant, binding) => found.get(keyOf(binding)) ?? presentOf(services, { tenant, binding, atMs }) };
}

/** The value that is shown now, where it was the newest then too: a switch may stand for years. Of its own quality a later bad sample leaves no trace. */
function presentOf(
  { live }: ApiServices,
  { tenant, binding, atMs }: { readonly tenant: string; readonly binding: Binding; readonly atMs: UnixMs },
): LiveReading | undefined {
  const present = live.reading(tenant, binding);
  if (!present || present.valueMs === null || present.valueMs > atMs) return undefined;
  const status = isBad(present.status) ? UNCERTAIN : present.status;
  return { ...present, status, quality: qualityOf(status), newestMs: present.valueMs };
}

function seriesOf(services: ApiServices, tenant: string, bindings: readonly Binding[], source: string | undefined): readonly SeriesId[] {
  const own = bindings.filter((binding) => binding.source === source);
  const wanted = new Set(own.map(({ asset, tag }) => `${asset}\0${tag}`));
  const assets = [...new Set(own.map(({ asset }) => asset))];
  return services.series.find({ tenant, assets, ...(source !== undefined && { sources: [source] }) }).filter((series) => {
    const { asset, tag } = services.series.definition(series);
    return wanted.has(`${asset}\0${tag}`);
  });
}

function keyOf({ source, asset, tag }: Binding): string {
  return `${source ?? ''}\0${asset}\0${tag}`;
}
