/** The port to the outbox of notifications: what waits to be said on a channel, and what became of it. Async, as all of the records. */
import type { UnixMs } from '../core/time.ts';

/** `suppressed`: a summary spoke for it. */
export type DeliveryStatus = 'pending' | 'delivered' | 'failed' | 'suppressed';

export type DeliveryEvent = 'triggered' | 'resolved' | 'summary';

export interface ChannelKey {
  readonly tenant: string;
  readonly channel: string;
}

export interface NewDelivery extends ChannelKey {
  /** Null for a summary. */
  readonly alertId: string | null;
  readonly event: DeliveryEvent;
  /** What is to be said, as JSON; its shape belongs to the sender. Empty once nothing is to be sent any more. */
  readonly body: string;
  readonly createdMs: UnixMs;
}

/** What a try has made of it. */
export interface DeliveryChange {
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly lastError: string | null;
  /** When the receiver took it. */
  readonly deliveredMs: UnixMs | null;
}

export interface Delivery extends NewDelivery, DeliveryChange {
  /** Rises with each that is added. */
  readonly id: number;
}

/** What an `addDeliveries` did to a channel. */
export interface AddedDeliveries extends ChannelKey {
  readonly added: number;
  /** The oldest, which had to go for them: failed, untold. */
  readonly dropped: number;
}

export interface DeliveryStore {
  /**
   * Adds them in one commit, but for those that the channel had already for the same event of an alert. Of a channel at
   * most `limit` wait: the oldest beyond become `failed`.
   */
  addDeliveries(deliveries: readonly NewDelivery[], limit: number): Promise<readonly AddedDeliveries[]>;
  /** Those that wait, the oldest first. */
  pendingDeliveries(key: ChannelKey, limit: number): Promise<readonly Delivery[]>;
  /** How many wait, of every channel that has some. */
  pendingCounts(): Promise<readonly (ChannelKey & { readonly count: number })[]>;
  /** True when it waited before: another may have settled it meanwhile. */
  changeDelivery(id: number, change: DeliveryChange): Promise<boolean>;
  /** Those of alerts that wait on the summary's channel up to `throughId` become `suppressed`, and the summary waits in their place, in one commit. */
  summarizeDeliveries(throughId: number, summary: NewDelivery): Promise<void>;
  /** All that wait on the channel become `failed` for this reason; tells how many. */
  abandonDeliveries(key: ChannelKey, reason: string): Promise<number>;
  /** Of these alerts of the tenant, in the order in which they were added. */
  deliveriesOf(tenant: string, alertIds: readonly string[]): Promise<readonly Delivery[]>;
}
