/** GET /v1/stream: what happens, while it happens, as Server-Sent Events. */
import { z } from 'zod';
import type { Operation } from '../operation.ts';
import { listParam } from '../params.ts';
import { queryOf } from '../query.ts';
import { type Answer, type Call, documented, type Route, route } from '../route.ts';
import type { LiveHub } from './hub.ts';

const TYPE = 'text/event-stream';

const streamQuery = z.object({ asset_id: listParam, tags: listParam });

const STREAM: Operation = {
  id: 'streamEvents',
  summary: 'Listen to readings, alerts and sources as they change',
  description: [
    'Server-Sent Events; the data of each is JSON with one member, `data`.',
    '',
    '- `telemetry`: the readings since the last one, at most 100 ms old, rows as those of `GET /v1/telemetry`. Late readings and backfill are not sent.',
    '- `source`: a data source and its state, each at the start and then when it changes, `removed` when it is gone; for tokens with `read:assets`.',
    '- `alert`: an alert that is new or has changed, as `GET /v1/alerts` has it; for tokens with `read:alerts`.',
    '- `dropped`: `{readings}`, how many the client has missed here because it did not keep up.',
    '',
    'The stream tells what happens from now on: events have no id, and `Last-Event-ID` is ignored. Who was away asks',
    '`GET /v1/telemetry` for the time since the last row, after the stream is open. A comment comes when nothing has been said for 15 s.',
    'The stream ends when its token is revoked and when the box stops. 32 streams for each token, 128 in all.',
  ].join('\n'),
  group: 'Telemetry',
  query: streamQuery,
  answers: [{ status: 200, description: 'Events, for as long as the client stays', type: TYPE, headers: ['X-Accel-Buffering'] }],
  errors: ['overloaded'],
};

export function streamRoutes(hub: LiveHub): Route[] {
  return [
    documented(
      STREAM,
      route('GET', '/v1/stream', 'read:telemetry', (call) => stream(hub, call)),
    ),
  ];
}

function stream(hub: LiveHub, { request, tenant, token }: Call): Answer {
  const { asset_id: assets, tags } = queryOf(streamQuery, request);
  const headers = { 'X-Accel-Buffering': 'no' }; // nginx would keep small events for later
  // Of an answer to HEAD nobody would ever read or end the stream.
  if (request.method === 'HEAD') return { status: 200, body: undefined, content: { type: TYPE, data: '' }, headers };
  const data = hub.open(token, { tenant, ...(assets && { assets }), ...(tags && { tags }) });
  return { status: 200, body: undefined, stream: { type: TYPE, data }, headers };
}
