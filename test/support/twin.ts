/** A twin with nothing on it, for tests that care about a part of one. */
import { DEFAULT_TENANT } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import type { Twin } from '../../src/twin/twin.ts';

/** As it is a moment after it was made over the API; `more` stands instead. */
export function twinOf(more: Partial<Twin> & { readonly id: string }): Twin {
  const createdMs = more.createdMs ?? (0 as UnixMs);
  return {
    tenant: DEFAULT_TENANT,
    revision: 1,
    name: more.id,
    type: 'equipment',
    status: 'active',
    managedBy: 'api',
    metadata: {},
    createdMs,
    updatedMs: createdMs,
    sensors: [],
    actuators: [],
    hiddenTags: [],
    ...more,
  };
}
