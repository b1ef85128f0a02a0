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
  const numbers = new Map<string, number>();
  const sensors: Sensor[] = [...twin.sensors];
  for (const [tag, def] of tags) {
    if (shown.has(tag)) continue;
    const id = sensorId(tag, ids, numbers);
    ids.add(id);
    if (hidden.has(tag)) continue;
    sensors.push({ id, name: tag, unit: def.unit ?? '', binding: { asset: twin.id, tag }, bindingExplicit: id !== tag, fromTag: true });
  }
  return { ...twin, sensors };
}

/** The tag's name where it is an id, else with the other characters replaced by `_`; a clash gets `-2`, `-3`, … */
function sensorId(tag: string, taken: ReadonlySet<string>, numbers: Map<string, number>): string {
  const plain = tag
    .replaceAll(/[^A-Za-z0-9._:-]/gu, '_')
    .replace(/^[^A-Za-z0-9]/, '0')
    .slice(0, 128);
  const base = ID_PATTERN.test(tag) ? tag : plain;
  if (!taken.has(base)) return base;
  const stem = base.slice(0, 120);
  let number = numbers.get(stem) ?? 2; // those below are taken: an asset may have thousands of tags that are alike but for such characters
  while (taken.has(`${stem}-${number}`)) number++;
  numbers.set(stem, number + 1);
  return `${stem}-${number}`;
}
