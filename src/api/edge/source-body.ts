/** Schemas of what a client sends of a data source; `config` and `tags` are those of the driver that the type names. */
import { z } from 'zod';
import { DRIVER_TYPES, DRIVERS, type DriverType } from '../../drivers/registry.ts';
import { MAX_TAGS_OF_REQUEST, optionFields } from '../../drivers/source-options.ts';
import type { SourceTag } from '../../ingest/source.ts';
import type { SourceDraft, SourceKey, StoredSource } from '../../ingest/source-registry.ts';
import { requireMatch } from '../conditional.ts';
import { invalid } from '../problem.ts';
import type { ApiServices } from '../services.ts';
import { validate } from '../validate.ts';
import { keptIn, masksIn, withKeptSecrets } from './source-secrets.ts';

const nameSchema = z.string().min(1, 'must not be empty').max(128, 'must be at most 128 characters');
const enabledSchema = z.boolean().default(true).describe('false keeps the source without connecting');
const ignored = z.unknown().optional().describe('ignored');

function newVariant(type: DriverType) {
  const fields = { name: nameSchema, type: z.literal(type), enabled: enabledSchema };
  return z.strictObject({ ...fields, ...optionFields(type, MAX_TAGS_OF_REQUEST) });
}

const [firstType, ...otherTypes] = DRIVER_TYPES;

export const newSourceSchema = z
  .discriminatedUnion('type', [newVariant(firstType), ...otherTypes.map(newVariant)], `type: must be one of ${DRIVER_TYPES.join(', ')}`)
  .meta({ id: 'NewDataSource' });

/** Whole but for `tags` and secrets, which are kept when absent. What a GET shows and nobody sets is let through. */
function changeVariant(type: DriverType) {
  return z.strictObject({
    name: nameSchema,
    type: z.literal(type, `a source keeps its type, which is ${type}`).optional().describe('is not changed'),
    enabled: enabledSchema,
    ...optionFields(type, MAX_TAGS_OF_REQUEST),
    id: z.string().optional().describe('must be that of the path'),
    ...Object.fromEntries(SHOWN.map((key) => [key, ignored])),
  });
}

const SHOWN = [
  'endpoint',
  'status',
  'state',
  'reason',
  'tag_count',
  'managed_by',
  'revision',
  'created_at',
  'updated_at',
  'stats',
] as const;

const CHANGES = Object.fromEntries(DRIVER_TYPES.map((type) => [type, changeVariant(type)])) as Readonly<
  Record<DriverType, ReturnType<typeof changeVariant>>
>;

export const sourceChangeSchema = z.union(DRIVER_TYPES.map((type) => CHANGES[type])).meta({ id: 'DataSourceChange' });

/** In place of the id that a source gets when it is made. */
export const NEW_SOURCE = 'ds-new';

/** Of a new source. Throws `validation_error`. */
export function newDraft(body: unknown, { sources }: ApiServices): SourceDraft {
  const sent = validate(newSourceSchema, body);
  const draft = draftFrom(sent.type, sent);
  refuse(draft, sources.faults(draft, NEW_SOURCE));
  return draft;
}

/** What a PUT makes of a source. Throws `precondition_failed` or `validation_error`. */
export function changedDraft(body: unknown, present: StoredSource, services: ApiServices, ifMatch: string | undefined): SourceDraft {
  const sent = validate(CHANGES[present.type], withKept(body, present));
  if (sent.id !== undefined && sent.id !== present.id)
    throw invalid([{ field: 'id', message: 'is not changed: must be the id of the path' }]);
  const draft = draftFrom(present.type, sent);
  requireMatch(ifMatch, present.revision);
  refuseCarriedSecrets(body, draft, present);
  refuse(draft, services.sources.faults(draft, present.id));
  refuseConflicts(draft, present, services);
  return draft;
}

/** Throws `validation_error` with what does not go with the tenant's other sources. */
export function refuseConflicts(draft: SourceDraft, at: SourceKey, { sources }: ApiServices): void {
  const conflicts = sources.conflicts(draft, at);
  if (conflicts.length > 0) throw invalid(conflicts);
}

/** Throws `validation_error` with the faults, and with masks that stand for nothing. */
function refuse(draft: SourceDraft, faults: readonly { readonly field: string; readonly message: string }[]): void {
  const masks = masksIn(draft.config, 'config').map((field) => ({
    field,
    message: 'is only the mask of a secret, and there is none to keep',
  }));
  if (faults.length + masks.length > 0) throw invalid([...faults, ...masks]);
}

/** A secret is never handed to another place than it was given for: whoever may edit the source must not get to hear it. Throws `validation_error`. */
function refuseCarriedSecrets(body: unknown, draft: SourceDraft, present: StoredSource): void {
  if (placeOf(draft) === placeOf(present)) return;
  const kept = keptIn(draft.config, (body as { readonly config?: unknown }).config, 'config');
  const message = 'must be sent again: the source would connect to another place, or less safely, than this secret was given for';
  if (kept.length > 0) throw invalid(kept.map((field) => ({ field, message })));
}

/** Undefined where there is no connection, or what was saved is not valid for this version. */
function placeOf({ type, config }: SourceDraft): string | undefined {
  const { configSchema, target } = DRIVERS[type];
  const checked = configSchema.safeParse(config);
  return checked.success ? target?.(checked.data)?.place : undefined;
}

interface Sent {
  readonly name: string;
  readonly enabled: boolean;
  readonly config: unknown;
  readonly tags: readonly unknown[];
}

function draftFrom(type: DriverType, sent: Sent): SourceDraft {
  const { name, enabled, config } = sent;
  const profile = 'profile' in sent && typeof sent.profile === 'string' ? { profile: sent.profile } : {};
  // Every driver's tag schema spreads `tagFields`, which the registry's common type does not show.
  return { name, type, enabled, ...profile, config, tags: sent.tags as unknown as readonly SourceTag[] };
}

/** The body with what it left out and is kept; anything but an object is left to the schema. */
function withKept(body: unknown, present: StoredSource): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  const { config, tags, profile } = body as { readonly config?: unknown; readonly tags?: unknown; readonly profile?: unknown };
  return {
    ...body,
    ...(config !== undefined && { config: withKeptSecrets(config, present.config) }),
    ...(tags === undefined && profile === undefined && { tags: present.tags }),
  };
}
