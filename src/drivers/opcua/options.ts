/** What an OPC UA source and its tags may say: the schemas, without the protocol's library. */
import { z } from 'zod';
import { bareHost, type NamedFile, present, type TagOrigin, type Target, tagFields } from '../schema.ts';

const ENDPOINT_PATTERN = /^opc\.tcp:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})(\/[^\s?#]*)?$/;

/** `ns=2;s=Robot.Torque`, `i=2258`, `nsu=urn:maker:cell;s=Robot.Torque`; in the URI of `nsu`, `;` and `%` are written %3B and %25. (OPC UA Part 6 §5.3.1.10) */
const NODE_ID_PATTERN =
  /^(?:ns=\d{1,5};|nsu=[^;\s]+;)?(?:i=\d{1,10}|s=[\s\S]+|g=[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|b=[A-Za-z0-9+/]+={0,2})$/;

const MAX_COUNT = 1_000_000; // far above any sensible count, and safe for every server's 32 bits

const subscriptionSchema = z.strictObject({
  publishing_interval_ms: z.int().min(10).max(3_600_000).default(1_000).describe('how often the server sends what has changed'),
  lifetime_count: z
    .int()
    .min(3)
    .max(MAX_COUNT)
    .optional()
    .describe('publishing intervals without a request before the server drops the subscription; a minute when absent'),
  max_keep_alive_count: z
    .int()
    .min(1)
    .max(MAX_COUNT)
    .optional()
    .describe('publishing intervals without a change before the server says it is alive; 5 s when absent'),
  max_notifications_per_publish: z.int().min(0).max(MAX_COUNT).default(0).describe('values in one message; 0 leaves it to the server'),
});

const authenticationSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('anonymous') }),
  z.strictObject({
    type: z.literal('username_password'),
    username: z.string().min(1).max(256),
    password: z.string().max(1_024),
  }),
  z.strictObject({
    type: z.literal('certificate'),
    certificate_file: z.string().startsWith('/', 'must be an absolute path').describe("the user's X.509 certificate, PEM or DER"),
    private_key_file: z.string().startsWith('/', 'must be an absolute path').describe('its private key, PEM'),
  }),
]);

/** The `config` of a source of type opcua. */
export const configSchema = z
  .strictObject({
    endpoint: z
      .string()
      .max(2_048)
      .refine(isEndpoint, 'must be opc.tcp://host:port or opc.tcp://host:port/path, as in opc.tcp://10.0.0.9:4840')
      .describe('where the server listens'),
    security_mode: z.enum(['None', 'Sign', 'SignAndEncrypt']).default('SignAndEncrypt'),
    security_policy: z
      .enum(['None', 'Basic256Sha256', 'Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss'])
      .default('Basic256Sha256')
      .describe('not used when security_mode is None'),
    allow_insecure: z.boolean().default(false).describe('true allows security_mode None: no signature, no encryption'),
    authentication: authenticationSchema.default({ type: 'anonymous' }),
    subscription: subscriptionSchema.prefault({}),
  })
  .superRefine((config, context) => {
    const refuse = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
    if (config.security_mode === 'None' && !config.allow_insecure) {
      refuse('security_mode', 'None sends everything in the clear and accepts any server; set allow_insecure: true to use it all the same');
    }
    if (config.security_mode !== 'None' && config.security_policy === 'None') {
      refuse('security_policy', `None cannot ${config.security_mode}; give a policy, or set security_mode: None and allow_insecure: true`);
    }
    const { lifetime_count: lifetime, max_keep_alive_count: keepAlive } = config.subscription;
    if (lifetime !== undefined && keepAlive !== undefined && lifetime < 3 * keepAlive) {
      context.addIssue({
        code: 'custom',
        path: ['subscription', 'lifetime_count'],
        message: `must be at least 3 × max_keep_alive_count (${3 * keepAlive})`, // OPC UA Part 4 §5.14.2
      });
    }
  });

/** One tag of a source of type opcua. */
export const tagSchema = z.strictObject({
  ...tagFields,
  node_id: z
    .string()
    .max(4_096)
    .refine(isNodeId, 'must be a node id such as ns=2;s=Robot.Torque, ns=2;i=1001 or nsu=urn:maker:cell;s=Robot.Torque')
    .describe('the variable at the server; nsu= with the namespace URI survives a restart that renumbers namespaces'),
  sampling_interval_ms: z
    .int()
    .min(0)
    .max(3_600_000)
    .optional()
    .describe(
      "how often the server looks at the variable; 0 as fast as it can; the tag's polling_interval_ms, else the publishing interval, when absent",
    ),
  queue_size: z
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .describe('values that the server keeps between two publishes; enough for ten seconds when absent'),
});

export type OpcuaConfig = z.output<typeof configSchema>;
export type OpcuaTag = z.output<typeof tagSchema>;
/** A tag as a configuration writes it, before the defaults. */
export type OpcuaTagInput = z.input<typeof tagSchema>;

/** Where a valid config leads; it never holds a secret. */
export function endpoint(config: unknown): string {
  return (config as OpcuaConfig).endpoint;
}

/** Where the connection of a valid config goes. */
export function target(config: unknown): Target {
  const { endpoint: url, security_mode: mode } = config as OpcuaConfig;
  const [, host = '', port] = ENDPOINT_PATTERN.exec(url) ?? [];
  return { key: 'endpoint', host: bareHost(host), port: Number(port), place: mode === 'None' ? `${url} in the clear` : url };
}

export function files(config: unknown): readonly NamedFile[] {
  const { authentication } = config as OpcuaConfig;
  if (authentication.type !== 'certificate') return [];
  const { certificate_file: certificate, private_key_file: key } = authentication;
  return [
    { key: 'authentication.certificate_file', file: certificate },
    { key: 'authentication.private_key_file', file: key },
  ];
}

function isEndpoint(text: string): boolean {
  const match = ENDPOINT_PATTERN.exec(text);
  const port = Number(match?.[2]);
  return port >= 1 && port <= 65_535;
}

function isNodeId(text: string): boolean {
  if (!NODE_ID_PATTERN.test(text)) return false;
  const numeric = /(?:^|;)i=(\d+)$/.exec(text);
  const namespace = /^ns=(\d+);/.exec(text);
  return Number(numeric?.[1] ?? 0) <= 0xffff_ffff && Number(namespace?.[1] ?? 0) <= 0xffff;
}

/** Of a valid config and tag. The data type is the server's, with each value. */
export function describe(_config: unknown, tag: unknown): TagOrigin {
  const { node_id, scale, offset } = tag as OpcuaTag;
  return { address: { node_id }, decode: present({ scale, offset }) };
}
