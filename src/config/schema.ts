/** The schema of the configuration file: every key, its default and what it means. Editors' schema and reference are made from it. */
import { z } from 'zod';
import { notificationsSchema } from '../alerts/notify/schema.ts';
import { ruleFields } from '../alerts/schema.ts';
import { type Cidr, parseCidr } from '../core/cidr.ts';
import { SCOPES } from '../core/scope.ts';
import { STORE_PROFILES } from '../core/store-profile.ts';
import { DEFAULT_TENANT } from '../core/tag.ts';
import { parseDuration, parseTime } from '../core/time.ts';
import { idSchema, tagNameSchema, unitSchema } from '../drivers/schema.ts';
import { type Listen, parseListen } from './listen.ts';
import { parseSize } from './size.ts';
import { sourceSchema } from './source-schema.ts';

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

const MAX_METADATA_BYTES = 16 * 1024; // as over the API

const nameSchema = z.string().min(1).max(256);
const descriptionSchema = z.string().max(2_048);
const tenantSchema = idSchema.default(DEFAULT_TENANT);

const listenSchema = z
  .string()
  .default('127.0.0.1:3000')
  .transform((text, context): Listen => {
    const listen = parseListen(text);
    if (listen) return listen;
    context.addIssue({ code: 'custom', message: 'must be HOST:PORT, such as 127.0.0.1:3000 or [::1]:3000' });
    return z.NEVER;
  });

const tokenSchema = z.strictObject({
  name: nameSchema.describe('who uses the token; stands in the log'),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be the SHA-256 of the token, 64 hexadecimal digits in lower case')
    .describe(
      'SHA-256 of the token, hexadecimal; the token itself is nowhere. `twinbox token create` makes tokens of 256 random bits; one of your own must be as hard to guess',
    ),
  scopes: z.array(z.enum(SCOPES)).min(1).describe('what the token may do'),
  tenant: tenantSchema.describe('the tenant whose data it sees'),
  expires_at: z
    .string()
    .transform((text, context): number => {
      const timeMs = parseTime(text);
      if (timeMs !== undefined) return timeMs;
      context.addIssue({ code: 'custom', message: 'must be a time such as 2027-01-31T00:00:00Z' });
      return z.NEVER;
    })
    .optional()
    .describe('RFC 3339; never when absent'),
});

const rateLimitSchema = z
  .union([
    z.literal('off'),
    z.strictObject({
      per_minute: z.int().min(1).max(1_000_000).default(6_000).describe('requests a token may send in a minute'),
      burst: z.int().min(1).max(100_000).default(600).describe('how many of them may come at once'),
    }),
  ])
  .prefault({})
  .describe('how often each token may call');

const originSchema = z
  .string()
  .refine((text) => isOrigin(text), 'must be an origin as browsers send it, such as https://hmi.plant:8443; "*" is not one');

/** Scheme, host and port as a browser's Origin header has them, and nothing behind. */
function isOrigin(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

const apiSchema = z.strictObject({
  listen: listenSchema.describe('HOST:PORT of the HTTP API; port 0 takes a free one'),
  allow_plaintext: z
    .boolean()
    .default(false)
    .describe('true leaves out TLS on an address that other machines can reach; tokens then cross the network in the clear'),
  tls: z
    .strictObject({
      cert: z.string().min(1).describe('PEM file: the certificate, then those up to its issuer; relative to this file'),
      key: z.string().min(1).describe('PEM file: the private key, not encrypted, not readable by everybody; relative to this file'),
    })
    .optional()
    .describe('certificate of the API; without it an address that other machines can reach is served with one that twinbox makes'),
  rate_limit: rateLimitSchema,
  cors: z
    .strictObject({ origins: z.array(originSchema).max(64).default([]).describe('origins whose pages may call from a browser') })
    .prefault({})
    .describe('calls from web pages of other origins'),
  tokens: z.array(tokenSchema).default([]).describe('tokens that this file declares, beside those made with `twinbox token create`'),
});

const cidrSchema = z.string().transform((text, context): Cidr => {
  const block = parseCidr(text);
  if (block) return block;
  context.addIssue({ code: 'custom', message: 'must be a block of addresses such as 10.0.0.0/8 or fc00::/7, or one address' });
  return z.NEVER;
});

/** The private networks (RFC 1918, RFC 4193): where plants are. */
const PRIVATE_NETWORKS = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'];

const securitySchema = z.strictObject({
  egress: z
    .strictObject({
      allow: z
        .array(cidrSchema)
        .max(256)
        .prefault(PRIVATE_NETWORKS)
        .describe(
          'addresses that sources made over the API may connect to; loopback only where a block names it; link-local and metadata addresses never',
        ),
    })
    .prefault({})
    .describe('connections of sources made over the API; sources of this file may connect to any address'),
  files: z
    .strictObject({
      allow: z
        .array(z.string().startsWith('/', 'must be an absolute path'))
        .max(64)
        .default(['/etc/twinbox/certs'])
        .describe('folders of certificates and keys that sources made over the API may name files of'),
    })
    .prefault({})
    .describe('files that sources made over the API may name; sources of this file may name any file'),
  serial: z
    .strictObject({
      allow: z
        .array(z.string().startsWith('/', 'must be an absolute path'))
        .max(64)
        .default(['/dev/serial/by-id', '/dev/serial/by-path'])
        .describe('serial devices, and folders of them, that sources made over the API may use'),
    })
    .prefault({})
    .describe('serial lines of sources made over the API; sources of this file may use any serial device'),
});

const ageSchema = z
  .string()
  .default('unlimited')
  .transform((text, context): number | null => {
    const durationMs = parseDuration(text);
    if (text === 'unlimited') return null;
    if (durationMs !== undefined) return durationMs;
    context.addIssue({ code: 'custom', message: 'must be unlimited or an age such as 36h, 90d or 52w' });
    return z.NEVER;
  });

/** The log alone takes some 24 MB, the present day's part of store.db 100 MB for 1,000 tags a second. */
const MIN_MAX_BYTES = 256e6;

const maxBytesSchema = z
  .string()
  .default('20GB')
  .transform((text, context): number | null => {
    if (text === 'unlimited') return null;
    const bytes = parseSize(text);
    if (bytes !== undefined && bytes >= MIN_MAX_BYTES) return bytes;
    context.addIssue({ code: 'custom', message: 'must be unlimited or a size such as 20GB, 512MB or 4GiB, at least 256MB' });
    return z.NEVER;
  });

const reserveSchema = z
  .string()
  .default('256MB')
  .transform((text, context): number => {
    const bytes = parseSize(text);
    if (bytes !== undefined) return bytes;
    context.addIssue({ code: 'custom', message: 'must be a size such as 256MB, 1GB or 512MiB; 0B for none' });
    return z.NEVER;
  });

const retentionSchema = z
  .strictObject({
    raw: ageSchema.describe('unlimited, or the age (ms, s, m, h, d, w) at which samples go, by whole days (UTC)'),
    rollups: ageSchema.describe('the same for aggregates of five minutes, from which longer ones are made; not shorter than `raw`'),
    max_bytes: maxBytesSchema.describe('unlimited, or a size (MB, GB, TB, MiB, GiB, TiB): while the store has more, the oldest day goes'),
    reserve_bytes: reserveSchema.describe(
      'while the file system has less room, the oldest day goes; below a quarter of it nothing more is taken in',
    ),
  })
  .superRefine(({ raw, rollups }, context) => {
    if (rollups === null || (raw !== null && rollups >= raw)) return;
    context.addIssue({ code: 'custom', path: ['rollups'], message: 'must not be shorter than raw: aggregates outlive their samples' });
  });

const storeSchema = z.strictObject({
  profile: z
    .enum(STORE_PROFILES)
    .default('balanced')
    .describe(
      'what a crash may take of polled readings: balanced writes every 100 ms and flushes every second, sd-card writes every second and flushes every ten; readings that were acknowledged are always flushed before',
    ),
  retention: retentionSchema.prefault({}).describe('how long data is kept'),
});

const bindingFields = {
  data_source_id: idSchema.optional().describe('only values of this source; of every source when absent'),
  asset_id: idSchema.optional().describe('the asset of the tag; the twin when absent'),
  tag_name: tagNameSchema.describe('the tag'),
};

const sensorSchema = z
  .strictObject({
    id: idSchema.describe('the tag of that name, unless `binding` says another'),
    name: nameSchema.optional().describe('the id when absent'),
    description: descriptionSchema.optional(),
    unit: unitSchema.default('').describe('unit of measurement'),
    min_value: z.number().optional().describe('values below are a warning'),
    max_value: z.number().optional().describe('values above are a warning'),
    binding: z.strictObject(bindingFields).optional().describe('where the values come from'),
  })
  .superRefine(({ min_value: min, max_value: max }, context) => {
    if (min === undefined || max === undefined || min <= max) return;
    context.addIssue({ code: 'custom', path: ['min_value'], message: `must not be greater than max_value (${max})` });
  });

const actuatorSchema = z.strictObject({
  id: idSchema.describe('the writable tag of that name, unless `binding` says another'),
  name: nameSchema.optional().describe('the id when absent'),
  type: z.enum(['binary', 'continuous']).describe('binary takes true and false, continuous a number'),
  description: descriptionSchema.optional(),
  binding: z
    .strictObject({
      ...bindingFields,
      min: z.number().optional().describe('smallest value that may be asked for'),
      max: z.number().optional().describe('largest value that may be asked for'),
    })
    .superRefine(({ min, max }, context) => {
      if (min === undefined || max === undefined || min <= max) return;
      context.addIssue({ code: 'custom', path: ['min'], message: `must not be greater than max (${max})` });
    })
    .optional()
    .describe("the tag that is written; the tag's own limits hold beside these"),
});

const twinSchema = z.strictObject({
  id: idSchema.describe('the asset'),
  name: nameSchema.optional().describe('the id when absent'),
  description: descriptionSchema.optional(),
  type: z.string().default('equipment').describe('a type that comes with twinbox, or one of `twin_types`'),
  tenant: tenantSchema.describe('the tenant that the twin belongs to'),
  metadata: z
    .record(z.string(), z.json())
    .refine(
      (metadata) => Buffer.byteLength(JSON.stringify(metadata)) <= MAX_METADATA_BYTES,
      `must be at most ${MAX_METADATA_BYTES} bytes as JSON`,
    )
    .default({})
    .describe('whatever you want to keep with the twin; at most 16 KiB'),
  sensors: z.array(sensorSchema).default([]).describe('names, units and limits of tags'),
  actuators: z.array(actuatorSchema).default([]).describe('what can be switched or set'),
});

const alertRuleSchema = z.strictObject({
  id: idSchema.optional().describe('made from the name when absent'),
  tenant: tenantSchema.describe('the tenant whose readings it watches'),
  ...ruleFields,
});

export const configSchema = z.strictObject({
  data_dir: z.string().min(1).default('/var/lib/twinbox').describe('where twinbox keeps its data; relative to this file'),
  api: apiSchema.prefault({}).describe('the HTTP API'),
  store: storeSchema.prefault({}).describe('the time-series store'),
  security: securitySchema.prefault({}).describe('what the API may be used for'),
  tenants: z
    .array(z.strictObject({ id: idSchema.describe('as in `tenant:` elsewhere'), name: nameSchema.describe('what people call the tenant') }))
    .default([])
    .describe('tenants beside `default`, which is always there'),
  twin_types: z.array(idSchema).default([]).describe('twin types beside those that come with twinbox'),
  auto_twins: z.boolean().default(true).describe('true makes a twin of every asset that a tag or reading names'),
  sources: z.array(sourceSchema).default([]).describe('what to read from'),
  twins: z.array(twinSchema).default([]).describe('names, limits and actuators of twins'),
  notifications: notificationsSchema.prefault({}).describe('how alerts reach people and other systems'),
  alert_rules: z.array(alertRuleSchema).max(10_000).default([]).describe('when to raise alerts; more can be made over the API'),
  log: z
    .strictObject({ level: z.enum(LOG_LEVELS).default('info').describe('the least important line that is written') })
    .prefault({})
    .describe('the log on standard output'),
});

export type ConfigDocument = z.output<typeof configSchema>;
export type SourceDocument = ConfigDocument['sources'][number];
export type AlertRuleDocument = ConfigDocument['alert_rules'][number];
export type TwinDocument = ConfigDocument['twins'][number];
