/** Events of the live stream as they go over the wire: Server-Sent Events. (HTML Living Standard §9.2) */

export type EventName = 'telemetry' | 'source' | 'alert' | 'dropped';

/** One event, encoded once for everybody who gets it. */
export interface LiveEvent {
  readonly name: EventName;
  readonly bytes: Uint8Array;
  /** How many readings are lost with it. */
  readonly readings: number;
}

/** `json` is JSON text, which has no line break. Events have no id: there is nothing that a Last-Event-ID could ask for. */
export function liveEvent(name: EventName, json: string, readings = 0): LiveEvent {
  return { name, bytes: Buffer.from(`event: ${name}\ndata: ${json}\n\n`), readings };
}

const RETRY_MS = 3_000; // the back-off of a panel after a restart of the box

export const PRELUDE: Uint8Array = Buffer.from(`retry: ${RETRY_MS}\n\n`);
/** A comment, which clients skip and routers on the way count as traffic. */
export const HEARTBEAT: Uint8Array = Buffer.from(':\n\n');
