/** A request to every route that asks for a token, and a box on which each of them succeeds. */
import type { Scope } from '../../src/core/scope.ts';
import { ApiClient, type JsonResponse } from '../support/api-client.ts';
import { at, FakeServices, sensor } from '../support/fake-services.ts';

/** A route that asks for a token, and a request to it. */
export interface Guarded {
  readonly scope: Scope;
  /** A request that succeeds with the scope, in the tenant `default`. */
  readonly path: string;
  readonly json?: unknown;
  /**
   * What a token of another tenant meets: the object is not there, or a list that shows nothing of this tenant, or
   * a refusal, as the whole box is for an admin of the tenant `default`.
   */
  readonly foreign: 'not found' | 'own' | 'operator';
  /** Of success; 200 when absent. */
  readonly status?: number;
}

const POINT = { data: [{ asset_id: 'pump-101', tag_name: 'temperature', value: 1 }] };

const NEW_SOURCE = { name: 'New', type: 'modbus', config: { host: '10.0.0.7' } };
const CHANGED_SOURCE = { name: 'Changed', config: { host: '10.0.0.8' } };
const RULE = { name: 'Hot', condition: { tag_name: 'temperature', operator: 'gt', value: 80 } };
/** Stands for the id that the alert of this tenant gets. */
export const ALERT = '{alert}';

export const GUARDED: Readonly<Record<string, Guarded>> = {
  'GET /v1/status': { scope: 'read:assets', path: '/v1/status', foreign: 'own' },
  'GET /metrics': { scope: 'admin', path: '/metrics', foreign: 'operator' },
  'GET /v1/backup': { scope: 'admin', path: '/v1/backup', foreign: 'operator' },
  'GET /v1/audit': { scope: 'admin', path: '/v1/audit', foreign: 'own' },
  'GET /api/twins': { scope: 'read:assets', path: '/api/twins', foreign: 'own' },
  'GET /api/twins/:id': { scope: 'read:assets', path: '/api/twins/pump-101', foreign: 'not found' },
  'GET /api/twins/:id/status': { scope: 'read:assets', path: '/api/twins/pump-101/status', foreign: 'not found' },
  'POST /api/twins/:id/sync': { scope: 'write:assets', path: '/api/twins/pump-101/sync', foreign: 'not found' },
  'GET /api/twins/:id/sensors/:sensorId/history': {
    scope: 'read:telemetry',
    path: '/api/twins/pump-101/sensors/temperature/history',
    foreign: 'not found',
  },
  'POST /api/twins': { scope: 'write:assets', path: '/api/twins', json: { id: 'new-1', name: 'New' }, foreign: 'own', status: 201 },
  'PATCH /api/twins/:id': { scope: 'write:assets', path: '/api/twins/pump-101', json: {}, foreign: 'not found' },
  'DELETE /api/twins/:id': { scope: 'write:assets', path: '/api/twins/pump-101', foreign: 'not found', status: 204 },
  'POST /api/twins/:id/sensors': {
    scope: 'write:assets',
    path: '/api/twins/pump-101/sensors',
    json: { id: 'flow', name: 'Flow', unit: '' },
    foreign: 'not found',
    status: 201,
  },
  'PATCH /api/twins/:id/sensors/:sensorId': {
    scope: 'write:assets',
    path: '/api/twins/pump-101/sensors/temperature',
    json: { max_value: 1 },
    foreign: 'not found',
  },
  'DELETE /api/twins/:id/sensors/:sensorId': {
    scope: 'write:assets',
    path: '/api/twins/pump-101/sensors/temperature',
    foreign: 'not found',
    status: 204,
  },
  'POST /api/twins/:id/actuators': {
    scope: 'write:assets',
    path: '/api/twins/pump-101/actuators',
    json: { id: 'valve', name: 'Valve', type: 'binary' },
    foreign: 'not found',
    status: 201,
  },
  'PATCH /api/twins/:id/actuators/:actuatorId': {
    scope: 'write:control',
    path: '/api/twins/pump-101/actuators/power',
    json: { current_state: true },
    foreign: 'not found',
  },
  'DELETE /api/twins/:id/actuators/:actuatorId': {
    scope: 'write:assets',
    path: '/api/twins/pump-101/actuators/power',
    foreign: 'not found',
    status: 204,
  },
  'GET /v1/data-sources': { scope: 'read:assets', path: '/v1/data-sources', foreign: 'own' },
  'POST /v1/data-sources': { scope: 'write:assets', path: '/v1/data-sources', json: NEW_SOURCE, foreign: 'own', status: 201 },
  'POST /v1/data-sources/test': { scope: 'write:assets', path: '/v1/data-sources/test', json: NEW_SOURCE, foreign: 'own' },
  'GET /v1/data-sources/:id': { scope: 'read:assets', path: '/v1/data-sources/pump-101', foreign: 'not found' },
  'PUT /v1/data-sources/:id': { scope: 'write:assets', path: '/v1/data-sources/pump-101', json: CHANGED_SOURCE, foreign: 'not found' },
  'DELETE /v1/data-sources/:id': { scope: 'write:assets', path: '/v1/data-sources/pump-101', foreign: 'not found', status: 204 },
  'POST /v1/data-sources/:id/test': { scope: 'write:assets', path: '/v1/data-sources/pump-101/test', foreign: 'not found' },
  'GET /v1/data-sources/:id/revisions': { scope: 'read:assets', path: '/v1/data-sources/pump-101/revisions', foreign: 'not found' },
  'POST /v1/data-sources/:id/rollback': {
    scope: 'write:assets',
    path: '/v1/data-sources/pump-101/rollback',
    json: { revision: 1 },
    foreign: 'not found',
  },
  'GET /v1/telemetry': { scope: 'read:telemetry', path: '/v1/telemetry', foreign: 'own' },
  'GET /v1/telemetry/latest': { scope: 'read:telemetry', path: '/v1/telemetry/latest?asset_id=pump-101', foreign: 'own' },
  'GET /v1/stream': { scope: 'read:telemetry', path: '/v1/stream', foreign: 'own' },
  'POST /v1/telemetry': { scope: 'write:telemetry', path: '/v1/telemetry', json: POINT, foreign: 'own' },
  'POST /v1/telemetry/ingest': { scope: 'write:telemetry', path: '/v1/telemetry/ingest', json: POINT, foreign: 'own' },
  'GET /v1/notification-channels': { scope: 'admin', path: '/v1/notification-channels', foreign: 'own' },
  'POST /v1/notification-channels/:name/test': {
    scope: 'admin',
    path: '/v1/notification-channels/pump-101/test',
    foreign: 'not found',
  },
  'GET /v1/dashboards': { scope: 'read:assets', path: '/v1/dashboards', foreign: 'own' },
  'POST /v1/dashboards': { scope: 'write:assets', path: '/v1/dashboards', json: { name: 'New' }, foreign: 'own', status: 201 },
  'GET /v1/dashboards/:id': { scope: 'read:assets', path: '/v1/dashboards/pump-101', foreign: 'not found' },
  'PUT /v1/dashboards/:id': { scope: 'write:assets', path: '/v1/dashboards/pump-101', json: { name: 'New' }, foreign: 'not found' },
  'DELETE /v1/dashboards/:id': { scope: 'write:assets', path: '/v1/dashboards/pump-101', foreign: 'not found', status: 204 },
  'GET /v1/alert-rules': { scope: 'read:alerts', path: '/v1/alert-rules', foreign: 'own' },
  'POST /v1/alert-rules': { scope: 'write:alerts', path: '/v1/alert-rules', json: RULE, foreign: 'own', status: 201 },
  'GET /v1/alert-rules/:id': { scope: 'read:alerts', path: '/v1/alert-rules/pump-101', foreign: 'not found' },
  'PUT /v1/alert-rules/:id': { scope: 'write:alerts', path: '/v1/alert-rules/pump-101', json: RULE, foreign: 'not found' },
  'DELETE /v1/alert-rules/:id': { scope: 'write:alerts', path: '/v1/alert-rules/pump-101', foreign: 'not found', status: 204 },
  'POST /v1/alert-rules/:id/enable': { scope: 'write:alerts', path: '/v1/alert-rules/pump-101/enable', foreign: 'not found' },
  'POST /v1/alert-rules/:id/unshelve': { scope: 'write:alerts', path: '/v1/alert-rules/pump-101/unshelve', foreign: 'not found' },
  'POST /v1/alert-rules/:id/disable': { scope: 'write:alerts', path: '/v1/alert-rules/pump-101/disable', foreign: 'not found' },
  'GET /v1/alerts': { scope: 'read:alerts', path: '/v1/alerts', foreign: 'own' },
  'GET /v1/alerts/:id': { scope: 'read:alerts', path: `/v1/alerts/${ALERT}`, foreign: 'not found' },
  'POST /v1/alerts/:id/acknowledge': { scope: 'write:alerts', path: `/v1/alerts/${ALERT}/acknowledge`, foreign: 'not found' },
  'POST /v1/alerts/:id/resolve': { scope: 'write:alerts', path: `/v1/alerts/${ALERT}/resolve`, foreign: 'not found' },
  'POST /v1/alerts/:id/shelve': {
    scope: 'write:alerts',
    path: `/v1/alerts/${ALERT}/shelve`,
    json: { minutes: 5 },
    foreign: 'not found',
  },
  'POST /v1/alerts/:id/unshelve': { scope: 'write:alerts', path: `/v1/alerts/${ALERT}/unshelve`, foreign: 'not found' },
  'POST /v1/dashboards/:id/duplicate': {
    scope: 'write:assets',
    path: '/v1/dashboards/pump-101/duplicate',
    foreign: 'not found',
    status: 201,
  },
};

/** Anything of this tenant that must not reach another one. */
export const MARK = 'only-of-default';

/** A box on which every request of `GUARDED` succeeds. */
export async function client(): Promise<ApiClient> {
  const services = new FakeServices();
  services.addTwin({
    id: 'pump-101',
    name: MARK,
    sensors: [sensor('pump-101', 'temperature')],
    actuators: [{ id: 'power', name: 'Power', type: 'binary' }],
  });
  services.addSource({ id: MARK });
  services.addChannel({ name: 'pump-101', target: MARK });
  services.addDashboard('pump-101', MARK);
  services.fakeSources.put('pump-101', { name: MARK });
  services.addSample({ asset: 'pump-101', tag: 'temperature', timeMs: at('2026-01-06T10:29:00Z'), value: MARK });
  services.auditRows.push({
    kind: 'write',
    timeMs: at('2026-01-06T10:00:00Z'),
    tenant: 'default',
    tokenId: MARK,
    tokenName: MARK,
    method: 'PATCH',
    route: '/x',
    objectId: null,
    status: 200,
    code: null,
    address: null,
    requestId: MARK,
    count: 1,
  });
  await services.addAlert('pump-101', MARK);
  return new ApiClient(services);
}

export const guarded = Object.entries(GUARDED).map(([name, route]) => ({ name, ...route, method: name.split(' ')[0] as string }));
export type Row = (typeof guarded)[number];

export function call(
  api: ApiClient,
  { path, method, json }: Row,
  token: string | null,
  headers: Record<string, string> = {},
): Promise<JsonResponse> {
  return api.send(path.replace(ALERT, api.services.alertId), { method, token, headers, ...(json === undefined ? {} : { json }) });
}
