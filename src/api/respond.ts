/** The HTTP response of an answer: JSON or text, and the headers that every response has. */
import type { Answer } from './route.ts';

/** Nothing of this API belongs into a cache, a frame or another page's script. */
const COMMON_HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'self'; frame-ancestors 'none'; object-src 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

export function respond(answer: Answer, requestId: string): Response {
  const text = answer.content ? answer.content.data : JSON.stringify(answer.body);
  const type = text === undefined ? undefined : { 'Content-Type': answer.content?.type ?? 'application/json' };
  return new Response(text ?? null, {
    status: answer.status,
    headers: { ...COMMON_HEADERS, ...type, 'X-Request-Id': requestId, ...answer.headers },
  });
}
