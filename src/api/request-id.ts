/** The name of a request, in its answer and in the log: the client's own where it gives a usable one. */
import { randomUUID } from 'node:crypto';

const USABLE = /^[A-Za-z0-9._:-]{1,128}$/; // goes into a log line and a header, so nothing that could end either

/** `given` is the request's X-Request-Id. */
export function requestIdOf(given: string | undefined): string {
  return given !== undefined && USABLE.test(given) ? given : randomUUID();
}
