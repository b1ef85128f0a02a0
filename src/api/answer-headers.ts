/** The headers of answers, as the API's description shows them. Those that concern browsers alone (caching, framing, origins) are left out. */

type Json = Readonly<Record<string, unknown>>;

const text = (description: string): Json => ({ description, schema: { type: 'string' } });
const count = (description: string): Json => ({ description, schema: { type: 'integer', minimum: 0 } });

export const ANSWER_HEADERS = {
  'X-Request-Id': text('The name of the request, as the log and the audit log have it'),
  'X-RateLimit-Limit': count('How many calls may come at once; absent where `api.rate_limit` is off, as are the two below'),
  'X-RateLimit-Remaining': count('How many of them are left'),
  'X-RateLimit-Reset': count('Seconds until none is missing'),
  ETag: text('The revision, for `If-Match`'),
  Location: text('The path of what was made'),
  'Idempotent-Replayed': { description: 'The answer is that of the first request', schema: { type: 'string', enum: ['true'] } },
  'Retry-After': count('Seconds after which it may be tried again'),
  'WWW-Authenticate': text('What a call must carry'),
  Allow: text('The methods that the path has'),
  'Content-Disposition': text('A name for the file'),
  'X-Accel-Buffering': text('Tells a proxy to pass each event on at once'),
} as const;

export type AnswerHeader = keyof typeof ANSWER_HEADERS;
