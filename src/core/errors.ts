/** The one table of operating errors. `docs/errors.md` is proven against it in both directions. */

/** Code → what it means, in one sentence. Drivers steer the supervisor by these codes alone. */
export const ERRORS = {
  not_connected: 'The device or broker cannot be reached, or the link to it was lost.',
  timeout: 'The device did not answer in time.',
  protocol: 'The device answered with something that is not the protocol, or refused the request.',
  authentication_failed: 'The device or broker refused our identity or our certificate.',
  config_invalid: 'The configuration is wrong; the message names the place.',
  egress_denied: 'The source was made over the API and may not reach this address.',
  not_supported: 'The device or this driver cannot do what was asked.',
  unknown_tag: 'The source has no such tag.',
  not_writable: 'The tag may not be written, by its configuration or by the device.',
  invalid_value: 'The value is not one that can be written to this tag; nothing was sent.',
  write_refused: 'The device refused the write.',
  write_not_confirmed: 'The device took the write, but did not show the value in time.',
  delivery_failed: 'The receiver of a notification did not take it; it is tried again.',
  delivery_refused: 'The receiver of a notification refused it for good.',
  store_failed: 'The store could not keep or read the data.',
  store_stalled: 'The store has not answered for a long time; its disk may hang.',
  disk_full: 'There is no space left for new data.',
  data_dir_locked: 'Another twinbox runs on this data directory.',
  data_dir_unusable: 'The data directory cannot be used.',
  listen_failed: 'The API cannot listen on the address it was given.',
  overloaded: 'More arrives than can be taken now; try again shortly.',
  stopped: 'The daemon or the source is stopping.',
  cancelled: 'Whoever asked has withdrawn the request.',
  invalid_cursor: 'The paging cursor was not made by this query.',
  range_too_large: 'The query covers more than can be answered at once.',
  backup_invalid: 'The backup is damaged or incomplete, none of ours, or of a newer version.',
  conflict: 'The object was changed or exists already.',
  managed_by_config: 'The object comes from the configuration file and is changed there.',
  limit_reached: 'There are as many of these as the box keeps.',
  source_not_found: 'There is no such data source.',
  revision_not_found: 'The data source has no such revision, or no longer.',
  twin_not_found: 'There is no such twin.',
  twin_exists: 'There is a twin of this id already.',
  twin_archived: 'The twin is archived: it can only be read until its status is set.',
  sensor_not_found: 'The twin has no such sensor.',
  sensor_exists: 'The twin has a sensor of this id already.',
  actuator_not_found: 'The twin has no such actuator.',
  actuator_exists: 'The twin has an actuator of this id already.',
  alert_resolved: 'The alert is over: nothing can be done about it any more.',
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** An error that operation can bring; anything else that is thrown is a programming mistake. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

export function isGatewayError(error: unknown, code?: ErrorCode): error is GatewayError {
  return error instanceof GatewayError && (code === undefined || error.code === code);
}

/** How far the causes of an error are followed. */
const MAX_CAUSES = 4;

/** True when it came of a TCP connection that the host refused because nobody listens there: ECONNREFUSED, connect(2). */
export function isRefused(error: unknown): boolean {
  let current = error;
  for (let depth = 0; current instanceof Error && depth < MAX_CAUSES; depth++) {
    if ('code' in current && current.code === 'ECONNREFUSED') return true;
    current = current.cause;
  }
  return false;
}

/** The message of anything that was thrown, with the messages of its causes behind it where they add something. */
export function messageOf(error: unknown): string {
  const messages: string[] = [];
  for (let current = error, depth = 0; current !== undefined && depth < MAX_CAUSES; depth++) {
    const message = current instanceof Error ? current.message || messageOfAll(current) : String(current);
    if (message && !messages.some((known) => known.includes(message))) messages.push(message);
    current = current instanceof Error ? current.cause : undefined;
  }
  return messages.join(': ') || 'unknown error';
}

/** A connection that was tried at several addresses fails with an AggregateError that says nothing itself. */
function messageOfAll(error: Error): string {
  return error instanceof AggregateError ? error.errors.map(messageOf).join(', ') : '';
}

/** Wraps whatever was thrown as a GatewayError of `code`; one that is a GatewayError already is passed on as it is. */
export function asGatewayError(error: unknown, code: ErrorCode, context: string): GatewayError {
  return error instanceof GatewayError ? error : new GatewayError(code, `${context}: ${messageOf(error)}`, { cause: error });
}
