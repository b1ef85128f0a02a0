/** What `notifications` of the configuration file may say: the channels over which alerts reach people and systems. */
import { z } from 'zod';
import { DEFAULT_TENANT, ID_PATTERN } from '../../core/tag.ts';

const CHANNEL_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const MAX_CHANNELS = 32; // each has a queue and a loop of its own
const MAX_RECIPIENTS = 50;
/** A person reads a line every three seconds at best; what comes faster is better read as a summary. */
const DEFAULT_STORM_LIMIT = 20;
const ADDRESS = /^[^\s@<>()[\],;:\\"]{1,64}@[^\s@<>()[\],;:\\"]{1,190}$/;
const MQTT_SCHEMES = ['mqtt:', 'mqtts:', 'ws:', 'wss:'];
const MQTT_SECURE = ['mqtts:', 'wss:'];

const addressSchema = z.string().regex(ADDRESS, 'must be a plain mail address such as shift@plant.example');
const passwordSchema = z.string().min(1).max(4_096);
const userSchema = z.string().min(1).max(1_024);

const tlsSchema = z
  .strictObject({
    ca: z.string().min(1).optional().describe('PEM file of the authority to trust instead of the public ones; relative to this file'),
    cert: z.string().min(1).optional().describe('PEM file of our own certificate, with `key`; relative to this file'),
    key: z.string().min(1).optional().describe('PEM file of the key of our own certificate; relative to this file'),
    server_name: z.string().min(1).max(253).optional().describe("name expected in the server's certificate; the host when absent"),
  })
  .superRefine(({ cert, key }, context) => {
    if (cert !== undefined && key === undefined) context.addIssue({ code: 'custom', path: ['key'], message: 'is needed with "cert"' });
    if (key !== undefined && cert === undefined) context.addIssue({ code: 'custom', path: ['cert'], message: 'is needed with "key"' });
  });

const tlsField = tlsSchema.optional().describe("how the server's certificate is checked, which it always is");

const shared = {
  tenant: z
    .string()
    .regex(ID_PATTERN, 'must be the id of a tenant')
    .default(DEFAULT_TENANT)
    .describe('the tenant whose alert rules may use the channel'),
  storm_limit: z
    .int()
    .min(1)
    .max(1_000)
    .default(DEFAULT_STORM_LIMIT)
    .describe('messages that the channel may send in a minute; what is over is gathered into one summary'),
};

const smtpSchema = z
  .strictObject({
    host: z.string().min(1).max(253).describe('the mail server'),
    port: z.int().min(1).max(65_535).optional().describe('587 when absent, 465 with `secure`'),
    secure: z
      .boolean()
      .default(false)
      .describe('true speaks TLS from the first byte (port 465); false uses STARTTLS where the server offers it'),
    username: userSchema.optional().describe('name that the server knows the box by; with it STARTTLS is required'),
    password: passwordSchema.optional().describe('goes with username; best as a reference to a credential or a file'),
    from: addressSchema
      .optional()
      .describe('the sender; when absent the username if it is an address, else twinbox@ and the name of the box'),
    tls: tlsField,
  })
  .superRefine(({ username, password }, context) => {
    if (username !== undefined && password === undefined) context.addIssue({ code: 'custom', path: ['password'], message: NEEDED_USER });
    if (password !== undefined && username === undefined)
      context.addIssue({ code: 'custom', path: ['username'], message: NEEDED_PASSWORD });
  });

const NEEDED_USER = 'is needed with "username"';
const NEEDED_PASSWORD = 'is needed with "password"';

const emailSchema = z.strictObject({
  type: z.literal('email').describe('how messages are sent'),
  ...shared,
  smtp: smtpSchema.describe('the way to the mail server'),
  to: z.array(addressSchema).min(1).max(MAX_RECIPIENTS).describe('who gets the mail'),
});

const slackSchema = z.strictObject({
  type: z.literal('slack').describe('how messages are sent'),
  ...shared,
  url: httpUrl().describe('the incoming webhook of Slack or Mattermost; whoever knows it can post, so name it as a secret'),
  tls: tlsField,
});

const webhookSchema = z.strictObject({
  type: z.literal('webhook').describe('how messages are sent'),
  ...shared,
  url: httpUrl().describe('where the JSON document is posted; redirects are not followed'),
  secret: z
    .string()
    .min(16, 'must have at least 16 characters')
    .max(1_024)
    .optional()
    .describe('key of the signature in X-Twinbox-Signature, at least 16 characters; no signature when absent'),
  tls: tlsField,
});

const mqttSchema = z
  .strictObject({
    type: z.literal('mqtt').describe('how messages are sent'),
    ...shared,
    broker_url: z.string().superRefine(brokerUrl).describe('mqtt://host:1883, mqtts://host:8883, ws://host/path or wss://host/path'),
    topic: z
      .string()
      .min(1)
      .max(1_024)
      .regex(/^[^+#\0]+$/, 'must be a topic without "+" and "#"')
      .describe('where the JSON document is published, not retained'),
    username: userSchema.optional().describe('name that the broker knows the box by'),
    password: passwordSchema.optional().describe('goes with username; best as a reference to a credential or a file'),
    qos: z
      .literal([1, 2], { error: 'must be 1 or 2: with 0 no broker says that it took the message' })
      .default(1)
      .describe('1: the broker may get a message twice; 2: it gets it once'),
    protocol_version: z
      .literal([4, 5], { error: 'must be 4 (MQTT 3.1.1) or 5 (MQTT 5.0)' })
      .default(4)
      .describe('4 is MQTT 3.1.1, 5 is MQTT 5.0, in which a broker can say why it refuses'),
    tls: tlsField,
  })
  .superRefine(({ broker_url: url, tls, username, password }, context) => {
    const issue = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (tls && URL.canParse(url) && !MQTT_SECURE.includes(new URL(url).protocol))
      issue('tls', 'needs a broker_url with mqtts:// or wss://');
    if (password !== undefined && username === undefined) issue('username', NEEDED_PASSWORD);
  });

export const notificationsSchema = z.strictObject({
  channels: z
    .record(
      z.string().regex(CHANNEL_NAME_PATTERN, 'a channel is named by 1–64 letters, digits, ".", "_" and "-"'),
      z.discriminatedUnion('type', [emailSchema, slackSchema, webhookSchema, mqttSchema]),
    )
    .refine((channels) => Object.keys(channels).length <= MAX_CHANNELS, `must have at most ${MAX_CHANNELS} channels`)
    .default({})
    .describe('by the name that alert rules call them by'),
});

export type EmailConfig = z.output<typeof emailSchema>;
export type SlackConfig = z.output<typeof slackSchema>;
export type WebhookConfig = z.output<typeof webhookSchema>;
export type MqttConfig = z.output<typeof mqttSchema>;
export type TlsConfig = z.output<typeof tlsSchema>;
export type ChannelConfig = EmailConfig | SlackConfig | WebhookConfig | MqttConfig;

function httpUrl() {
  return z.string().superRefine((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const issue = (message: string): void => context.addIssue({ code: 'custom', message });
    if (!url || !['http:', 'https:'].includes(url.protocol)) issue('must be http:// or https:// and a host');
    else if (url.username || url.password) issue('must not hold credentials');
  });
}

function brokerUrl(text: string, context: z.RefinementCtx<string>): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const issue = (message: string): void => context.addIssue({ code: 'custom', message });
  if (!url?.hostname || !MQTT_SCHEMES.includes(url.protocol))
    issue('must be mqtt://host:port, mqtts://host:port, ws://host/path or wss://host/path');
  else if (url.username || url.password) issue('must not hold credentials: use "username" and "password"');
}
