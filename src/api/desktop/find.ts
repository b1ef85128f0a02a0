/** The twin and the sensor that a path names. */
import { ID_PATTERN } from '../../core/tag.ts';
import type { Sensor, Twin } from '../../twin/twin.ts';
import { ApiError } from '../problem.ts';
import type { Call } from '../route.ts';
import type { ApiServices } from '../services.ts';

/** Throws `twin_not_found`, alike for another tenant's twin and for text that can be no id. */
export function findTwin(call: Call, twins: Pick<ApiServices['twins'], 'get'>): Twin {
  const id = call.request.param('id') ?? '';
  const twin = ID_PATTERN.test(id) ? twins.get(call.tenant, id) : undefined;
  if (!twin) throw new ApiError('twin_not_found', 'There is no twin with this id.');
  return twin;
}

/** Throws `sensor_not_found`. */
export function findSensor(call: Call, twin: Twin): Sensor {
  const id = call.request.param('sensorId');
  const sensor = twin.sensors.find((each) => each.id === id);
  if (!sensor) throw new ApiError('sensor_not_found', 'The twin has no sensor with this id.');
  return sensor;
}
