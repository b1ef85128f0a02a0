/** The sensors that follow from an asset's tags: one for each that nothing else of the twin shows. */
import { ID_PATTERN, type SeriesDef } from '../core/tag.ts';
import { type Sensor, type Twin, tagOf } from './twin.ts';

/** The twin's own sensors, then those of its tags in the order of their making. A hidden tag keeps its id from the others. */
export function withTagSensors(twin: Twin, tags: ReadonlyMap<string, SeriesDef> | undefined): Twin {
  if (!tags) return twin;
  const shown = new Set(
    [...twin.sensors.map(({ binding }) => binding), ...twin.actuators.map((actuator) => tagOf(twin, actuator))]
      .filter(({ asset }) => asset === twin.id)
      .map(({ tag }) => tag),
  );
  const hidden = new Set(twin.hiddenTags);
  const ids = new Set(twin.sensors.map((sensor) => sensor.id));
  const sensors: Sensor[] = [...twin.sensors];
  for (const [tag, def] of tags) {
    if (shown.has(tag)) continue;
    const id = sensorId(tag, ids);
    ids.add(id);
    if (hidden.has(tag)) continue;
    sensors.push({ id, name: tag, unit: def.unit ?? '', binding: { asset: twin.id, tag }, bindingExplicit: id !== tag, fromTag: true });
  }
  return { ...twin, sensors };
}

/** The tag's name where it is an id, else with the other characters replaced by `_`; a clash gets `-2`, `-3`, … */
function sensorId(tag: string, taken: ReadonlySet<string>): string {
  const plain = tag
    .replaceAll(/[^A-Za-z0-9._:-]/gu, '_')
    .replace(/^[^A-Za-z0-9]/, '0')
    .slice(0, 128);
  const base = ID_PATTERN.test(tag) ? tag : plain;
  let id = base;
  for (let number = 2; taken.has(id); number++) id = `${base.slice(0, 120)}-${number}`;
  return id;
}
