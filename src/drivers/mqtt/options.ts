/** What an MQTT source and its tags look like in a configuration, and what is wrong with a bad one. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { bareHost, idSchema, type NamedFile, present, type TagOrigin, type Target, tagFields, tagNameSchema } from '../schema.ts';
import { compileJsonPath } from './json-path.ts';
import { checkWriteTopic, parseTopic } from './topic.ts';

const SCHEMES = ['mqtt:', 'mqtts:', 'ws:', 'wss:'];
const SECURE = ['mqtts:', 'wss:'];
const MAX_TOPICS = 1_000;
/** How long a device may take to say on its own topic what it has made of a command. */
export const DEFAULT_WRITE_TIMEOUT_MS = 5_000;
/** Below the time that any write may take in all. */
const MAX_WRITE_TIMEOUT_MS = 20_000;
const MAX_WRITE_PAYLOAD = 4_096;

const tlsSchema = z.strictObject({
  ca: z
    .string()
    .min(1)
    .optional()
    .describe("PEM file of the authority that signed the broker's certificate; the system's authorities when absent"),
  cert: z.string().min(1).optional().describe('PEM file of our own certificate, with "key"'),
  key: z.string().min(1).optional().describe('PEM file of the key of our own certificate'),
  reject_unauthorized: z.boolean().default(true).describe('false accepts any certificate: for a test bench only'),
  server_name: z.string().min(1).optional().describe("name expected in the broker's certificate; the URL's host when absent"),
});

/** A topic filter with captures, checked. */
export const topicSchema = z.string().superRefine((topic, context) => refineBy(parseTopic, topic, context));

/** A JSON path (RFC 9535), checked. */
export const jsonPathSchema = z.string().superRefine((path, context) => refineBy(compileJsonPath, path, context));

export const configSchema = z
  .strictObject({
    broker_url: z
      .string()
      .superRefine((url, context) => refineBy(checkBrokerUrl, url, context))
      .describe('mqtt://host:1883, mqtts://host:8883, ws://host/path or wss://host/path'),
    client_id: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .describe(
        'must be unique at the broker and must not change, or the session with its waiting messages is lost; made from the box and the source when absent',
      ),
    username: z.string().max(1024).optional().describe('name that the broker knows the box by'),
    password: z.string().max(4096).optional().describe('goes with username; best as a reference to a credential or a file'),
    qos: z
      .literal([0, 1], { error: 'must be 0 or 1; QoS 1 already loses nothing, and a repeated message with a timestamp is stored once' })
      .default(1)
      .describe('1: the broker keeps a message until it is on our disk; 0: what arrives while the link is down is lost'),
    // 3.1.1 is what every broker speaks; 5 brings a bounded number of messages in flight and sessions that expire.
    protocol_version: z
      .literal([4, 5], { error: 'must be 4 (MQTT 3.1.1) or 5 (MQTT 5.0)' })
      .default(4)
      .describe('4 is MQTT 3.1.1, 5 is MQTT 5.0'),
    topics: z
      .array(topicSchema)
      .max(MAX_TOPICS)
      .optional()
      .describe('only with a profile: where its messages arrive; may capture {asset} and {tenant}'),
    tls: tlsSchema.optional().describe('for mqtts:// and wss://'),
    keepalive_s: z.int().min(1).max(15).default(10).describe('a dead link is found after 1.5 times this many seconds'),
    clean_session: z.boolean().default(false).describe('true forgets the messages that wait at the broker while the link is down'),
  })
  .superRefine((config, context) => {
    const issue = (path: (string | number)[], message: string): void => context.addIssue({ code: 'custom', path, message });
    if (config.tls && !SECURE.includes(schemeOf(config.broker_url))) issue(['tls'], 'needs a broker_url with mqtts:// or wss://');
    if (config.tls?.cert !== undefined && config.tls.key === undefined) issue(['tls', 'key'], 'is needed with "cert"');
    if (config.tls?.key !== undefined && config.tls.cert === undefined) issue(['tls', 'cert'], 'is needed with "key"');
    if (config.password !== undefined && config.username === undefined) issue(['username'], 'is needed with "password"');
    for (const [index, topic] of (config.topics ?? []).entries()) {
      if (topic.split('/').includes('{tag}')) issue(['topics', index], 'must not capture {tag}: the profile names the tags');
    }
  });

export const tagSchema = z
  .strictObject({
    ...tagFields,
    tag_name: tagNameSchema.optional().describe('name of the tag; may be left out when the topic captures {tag}'),
    asset_id: idSchema.optional().describe('the asset (twin) the tag belongs to; the source id when absent and not captured by {asset}'),
    topic: topicSchema.describe(
      'topic filter with + and #; {asset}, {tag} and {tenant} each take a whole level, as in plants/{asset}/{tag}',
    ),
    json_path: jsonPathSchema
      .optional()
      .describe(
        'where the value stands in a JSON payload (RFC 9535), as in $.data.temperature; of several places the first; without it the payload itself is the number, boolean or text',
      ),
    timestamp_path: jsonPathSchema
      .optional()
      .describe(
        'where the time stands: RFC 3339 text, or seconds, milliseconds, microseconds or nanoseconds since 1970; without a time the reading takes the time it arrives, and retained messages are not read',
      ),
    data_type: z
      .enum(['number', 'boolean', 'string'])
      .optional()
      .describe('turns "23.5" into a number and "on" into true; as in the payload when absent'),
    min: z.number().optional().describe('smallest valid value, after scaling; what is below is bad'),
    max: z.number().optional().describe('largest valid value, after scaling; what is above is bad'),
    write_topic: z
      .string()
      .optional()
      .describe('where a command for the tag is published, with QoS 1; {asset} and {tag} stand for those of the tag'),
    write_payload: z
      .string()
      .min(1)
      .max(MAX_WRITE_PAYLOAD)
      .optional()
      .describe('the command; {value} stands for the value: plain when it is all of the payload (the default), as JSON inside any other'),
    write_true: z.string().max(64).optional().describe('what {value} says for true, as in "ON"; true when absent'),
    write_false: z.string().max(64).optional().describe('what {value} says for false, as in "OFF"; false when absent'),
    write_retain: z.boolean().optional().describe('true lets the broker keep the command for a device that comes later; false when absent'),
    write_timeout_ms: z
      .int()
      .min(100)
      .max(MAX_WRITE_TIMEOUT_MS)
      .optional()
      .describe(`how long to wait until "topic" shows what was written; ${DEFAULT_WRITE_TIMEOUT_MS} when absent`),
  })
  .superRefine((tag, context) => {
    const issue = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    const levels = tag.topic.split('/');
    if (tag.tag_name === undefined && !levels.includes('{tag}')) issue('tag_name', 'is needed unless the topic captures {tag}');
    if (tag.tag_name !== undefined && levels.includes('{tag}'))
      issue('tag_name', 'is captured by {tag} in the topic; leave one of them out');
    if (tag.asset_id !== undefined && levels.includes('{asset}'))
      issue('asset_id', 'is captured by {asset} in the topic; leave one of them out');
    if (tag.timestamp_path !== undefined && tag.json_path === undefined)
      issue('timestamp_path', 'needs a json_path: a plain payload has no time');
    if (tag.writable && tag.write_topic === undefined) issue('write_topic', 'is needed with "writable": where commands are published');
    // The command would go to the device of whichever tenant that is: a write names the asset and the tag alone.
    if (tag.writable && levels.includes('{tenant}')) issue('writable', 'is not possible where the topic captures {tenant}');
    if (tag.write_topic !== undefined) {
      const fault = checkWriteTopic(tag.write_topic, tag.topic);
      if (fault) issue('write_topic', fault);
    }
    if (tag.write_payload !== undefined && !tag.write_payload.includes('{value}')) issue('write_payload', 'must hold {value}');
    if (tag.min !== undefined && tag.max !== undefined && tag.min > tag.max) issue('min', 'must not be above "max"');
  });

export type MqttConfig = z.output<typeof configSchema>;
export type MqttTag = z.output<typeof tagSchema>;

/** The broker's address without credentials. */
export function endpoint(config: unknown): string {
  const url = new URL((config as MqttConfig).broker_url);
  return `${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}`;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883, 'ws:': 80, 'wss:': 443 };

/** Where the connection of a valid config goes. */
export function target(config: unknown): Target {
  const { broker_url: broker, tls } = config as MqttConfig;
  const url = new URL(broker);
  const port = Number(url.port) || (DEFAULT_PORTS[url.protocol] ?? 0);
  const trust = tls && [tls.reject_unauthorized, tls.ca, tls.server_name]; // who may claim to be this broker
  const place = JSON.stringify([url.protocol, url.hostname, port, url.pathname, url.search, trust]);
  return { key: 'broker_url', host: bareHost(url.hostname), port, place };
}

export function files(config: unknown): readonly NamedFile[] {
  const { tls } = config as MqttConfig;
  return (['ca', 'cert', 'key'] as const).flatMap((key) => {
    const file = tls?.[key];
    return file === undefined ? [] : [{ key: `tls.${key}`, file }];
  });
}

/** With a client_id and a session of its own: a broker lets go of whoever has the same one. */
export function trial(config: unknown): MqttConfig {
  const { client_id: usual = 'twinbox', ...rest } = config as MqttConfig;
  return { ...rest, client_id: `${usual.slice(0, 100)}-test-${randomUUID().slice(0, 8)}`, clean_session: true };
}

function checkBrokerUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !SCHEMES.includes(url.protocol) || !url.hostname)
    throw new Error('must be mqtt://host:port, mqtts://host:port, ws://host/path or wss://host/path');
  if (url.username || url.password) throw new Error('must not hold credentials: use "username" and "password"');
  if (url.hash) throw new Error('must not hold a "#" part');
  if (url.protocol.startsWith('mqtt') && (url.search || !['', '/'].includes(url.pathname)))
    throw new Error('must end after the port: topics stand at the tags');
}

function schemeOf(text: string): string {
  return URL.canParse(text) ? new URL(text).protocol : '';
}

function refineBy(check: (text: string) => unknown, text: string, context: z.RefinementCtx<string>): void {
  try {
    check(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
  }
}

/** Of a valid config and tag. */
export function describe(_config: unknown, tag: unknown): TagOrigin {
  const { topic, json_path, timestamp_path, scale, offset } = tag as MqttTag;
  return { address: { topic }, decode: present({ json_path, timestamp_path, scale, offset }) };
}
