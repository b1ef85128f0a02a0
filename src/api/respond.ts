/** The HTTP response of an answer: JSON, text or bytes, and the headers that every response has. */
import { type Answer, ByteSource } from './route.ts';

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
  const { content, stream } = answer;
  const data = stream?.data ?? content?.data ?? JSON.stringify(answer.body);
  const type = data === undefined ? undefined : { 'Content-Type': stream?.type ?? content?.type ?? 'application/json' };
  const headers = { ...COMMON_HEADERS, ...type, ...exchanged, ...answer.headers };
  return new Response(data instanceof ByteSource ? toStream(data) : (data ?? null), { status: answer.status, headers });
}

/** Ends by an error where the source does, so that nobody takes a part for the whole. */
function toStream({ chunks, close }: ByteSource): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  const end = async () => {
    try {
      await iterator.return?.();
    } finally {
      close();
    }
  };
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      try {
        const { done, value } = await iterator.next();
        if (!done) return controller.enqueue(value);
        close();
        controller.close();
      } catch (error) {
        close();
        controller.error(error);
      }
    },
    cancel: end,
  });
}
