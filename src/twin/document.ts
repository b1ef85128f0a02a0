/** What the records keep of a twin: everything but its times and the sensors that follow from tags. */
import type { UnixMs } from '../core/time.ts';
import type { StoredDocument } from '../store/records.ts';
import type { Twin } from './twin.ts';

export type TwinBody = Omit<Twin, 'tenant' | 'id' | 'revision' | 'createdMs' | 'updatedMs'>;

/** As it is written. A twin that came back after it was deleted is younger than its document. */
interface StoredBody extends Omit<TwinBody, 'hiddenTags'> {
  readonly hiddenTags?: readonly string[];
  readonly createdMs?: UnixMs;
}

interface Gravestone {
  readonly deleted: true;
}

/** The parts in one order, so that equal twins are equal texts; with `createdMs` as it is stored. */
export function bodyOf(twin: TwinBody, createdMs?: UnixMs): TwinBody {
  const { name, description, type, status, managedBy, metadata, sensors, actuators, hiddenTags } = twin;
  const named = { name, ...(description === undefined ? {} : { description }), type, status, managedBy };
  return { ...named, metadata, sensors, actuators, hiddenTags, ...(createdMs === undefined ? {} : { createdMs }) };
}

/** What stands for a deleted twin. */
export function gravestone(): Gravestone {
  return { deleted: true };
}

/** Undefined for a gravestone. */
export function fromDocument({ tenant, id, revision, createdMs, updatedMs, body }: StoredDocument): Twin | undefined {
  if ((body as Partial<Gravestone>).deleted) return undefined;
  const { hiddenTags = [], createdMs: bornMs = createdMs, ...rest } = body as StoredBody;
  return { tenant, id, revision, createdMs: bornMs, updatedMs, ...rest, hiddenTags };
}
