/** The HTTP response of an answer: JSON or text, and the headers that every response has. */
import type { Answer } from './route.ts';

/** Nothing of this API belongs into a cache, a frame or another page's script. */
const COMMON_HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

/** `exchanged` are the headers that this request's answer has whatever it is, the request's name among them. */
export function respond(answer: Answer, exchanged: Readonly<Record<string, string>>): Response {
  const text = answer.content ? answer.content.data : JSON.stringify(answer.body);
  const type = text === undefined ? undefined : { 'Content-Type': answer.content?.type ?? 'application/json' };
  return new Response(text ?? null, { status: answer.status, headers: { ...COMMON_HEADERS, ...type, ...exchanged, ...answer.headers } });
}
