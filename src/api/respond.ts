/** The HTTP response of an answer: JSON, and the headers that every response has. */
import type { Answer } from './route.ts';

/** Nothing of this API belongs into a cache, a frame or another page's script. */
const COMMON_HEADERS = {
  'Content-Type': 'application/json',
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'self'; frame-ancestors 'none'; object-src 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

export function respond(answer: Answer, requestId: string): Response {
  return new Response(JSON.stringify(answer.body), {
    status: answer.status,
    headers: { ...COMMON_HEADERS, 'X-Request-Id': requestId, ...answer.headers },
  });
}
