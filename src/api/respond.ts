/** The HTTP response of an answer: JSON, text or bytes, and the headers that every response has. */
import { type Answer, ByteSource } from './route.ts';

/** The headers of one answer, to which more may be added until it is sent. */
export type AnswerHeaders = Record<string, string>;

/** What every answer says: which request it is of, and that nothing of this API belongs into a cache, a frame or another page's script. */
export function commonHeaders(requestId: string): AnswerHeaders {
  return {
    'Cache-Control': 'no-store',
    'Content-Security-Policy': "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'X-Request-Id': requestId,
  };
}

/** `headers` are those that this request's answer has whatever it is; those of the answer itself go before them. They belong to the response from now on. */
export function respond(answer: Answer, headers: AnswerHeaders): Response {
  const { content, stream } = answer;
  const data = stream?.data ?? content?.data ?? JSON.stringify(answer.body);
  if (data !== undefined) headers['Content-Type'] = stream?.type ?? content?.type ?? 'application/json';
  if (answer.headers) Object.assign(headers, answer.headers);
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
