/** POST /v1/data-sources/{id}/test, and POST /v1/data-sources/test for a source that is not saved. */
import { z } from 'zod';
import { qualityOf } from '../../core/status.ts';
import { toIso } from '../../core/time.ts';
import type { SourceTestResult } from '../../ingest/source-test.ts';
import { JSON_BODY_LIMIT_BYTES, readJson } from '../body.ts';
import type { Operation } from '../operation.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import { qualitySchema, timeSchema, valueSchema } from '../schema.ts';
import type { ApiServices } from '../services.ts';
import { renderScalar } from '../values.ts';
import { findSource } from './find-source.ts';
import { newDraft, newSourceSchema } from './source-body.ts';

const resultSchema = z
  .object({
    success: z.boolean(),
    latency_ms: z.int(),
    message: z.string().describe('for people'),
    checks: z.array(z.object({ name: z.enum(['connect', 'read']), ok: z.boolean(), message: z.string() })),
    server: z
      .object({ endpoint: z.string(), live_session: z.boolean().describe('true: the present link of the source was used') })
      .catchall(z.union([z.string(), z.boolean()]))
      .describe(
        'and what the peer says of itself: application_uri, product, manufacturer, software_version, security_mode and security_policy of OPC UA; protocol_version and session_present of MQTT',
      ),
    sample: z
      .object({ asset_id: z.string(), tag_name: z.string(), value: valueSchema, quality: qualitySchema, timestamp: timeSchema.nullable() })
      .nullable()
      .describe('the first value that was read; null where nothing was, as from sources that speak by themselves'),
  })
  .meta({ id: 'DataSourceTest' });

const EXAMPLE = {
  success: true,
  latency_ms: 12,
  message: '1 of 1 tags read',
  checks: [
    { name: 'connect', ok: true, message: 'the connection stands' },
    { name: 'read', ok: true, message: '1 of 1 tags read' },
  ],
  server: { endpoint: '192.168.1.50:502', live_session: false },
  sample: { asset_id: 'Pump_001', tag_name: 'temperature', value: 65.5, quality: 'good', timestamp: '2026-01-06T10:00:00Z' },
};

const DESCRIPTION =
  'Connects and reads the first five tags, within ten seconds. 200 whenever the test ran; `success` says how it ended. The connection of a source that has one is used.';

const answers: Operation['answers'] = [
  { status: 200, description: 'How it ended', schema: z.object({ data: resultSchema }), example: { data: EXAMPLE } },
];

const TEST_DATA_SOURCE: Operation = {
  id: 'testDataSource',
  summary: 'Test the connection of a data source',
  description: DESCRIPTION,
  group: 'Data sources',
  answers,
  errors: ['overloaded'],
};

const TEST_NEW_DATA_SOURCE: Operation = {
  id: 'testNewDataSource',
  summary: 'Test a data source before it is made',
  description: DESCRIPTION,
  group: 'Data sources',
  body: {
    schema: newSourceSchema,
    example: { name: 'Production Line PLC', type: 'modbus', config: { host: '192.168.1.50', port: 502, unit_id: 1 } },
  },
  answers,
  errors: ['overloaded'],
};

export function dataSourceTestRoutes(services: ApiServices): Route[] {
  return [
    documented(
      TEST_NEW_DATA_SOURCE,
      route('POST', '/v1/data-sources/test', 'write:assets', (call) => testNew(services, call)),
    ),
    documented(
      TEST_DATA_SOURCE,
      route('POST', '/v1/data-sources/:id/test', 'write:assets', (call) => testSaved(services, call)),
    ),
  ];
}

async function testSaved(services: ApiServices, call: Call): Promise<Answer> {
  const { view } = findSource(services, call);
  return ok({ data: renderResult(await services.sources.test(view.id), view.endpoint) });
}

async function testNew(services: ApiServices, call: Call): Promise<Answer> {
  const draft = newDraft(await readJson(call.request, JSON_BODY_LIMIT_BYTES), services);
  return ok({ data: renderResult(await services.sources.testDraft(call.tenant, draft), services.sources.endpoint(draft)) });
}

function renderResult({ success, latencyMs, message, checks, live, server, sample }: SourceTestResult, endpoint: string) {
  return {
    success,
    latency_ms: latencyMs,
    message,
    checks: checks.map(({ name, ok: passed, message: said }) => ({ name, ok: passed, message: said })),
    server: { ...server, endpoint, live_session: live },
    sample: sample && {
      asset_id: sample.assetId,
      tag_name: sample.tagName,
      value: renderScalar(sample.value),
      quality: qualityOf(sample.status),
      timestamp: sample.timeMs === undefined ? null : toIso(sample.timeMs),
    },
  };
}
