/** What an OPC UA source may say, and what it is told when it says something else. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { configSchema, endpoint, tagSchema } from '../../../src/drivers/opcua/options.ts';

const ENDPOINT = 'opc.tcp://10.0.0.9:4840/cell';

function issues(schema: z.ZodType, value: unknown): { path: string; message: string }[] {
  const result = schema.safeParse(value);
  return result.success ? [] : result.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
}

describe('config of an OPC UA source', () => {
  it('needs nothing but the endpoint and is then as secure as it can be', () => {
    expect(configSchema.parse({ endpoint: ENDPOINT })).toEqual({
      endpoint: ENDPOINT,
      security_mode: 'SignAndEncrypt',
      security_policy: 'Basic256Sha256',
      allow_insecure: false,
      authentication: { type: 'anonymous' },
      subscription: { publishing_interval_ms: 1_000, max_notifications_per_publish: 0 },
    });
  });

  it('refuses security_mode None without allow_insecure and names that key', () => {
    const [issue, ...others] = issues(configSchema, { endpoint: ENDPOINT, security_mode: 'None' });
    expect(others).toEqual([]);
    expect(issue?.path).toBe('security_mode');
    expect(issue?.message).toContain('allow_insecure: true');
    expect(issues(configSchema, { endpoint: ENDPOINT, security_mode: 'None', allow_insecure: true })).toEqual([]);
  });

  it('refuses a policy of None for a mode that signs', () => {
    expect(issues(configSchema, { endpoint: ENDPOINT, security_policy: 'None', allow_insecure: true })[0]?.path).toBe('security_policy');
  });

  it('refuses a lifetime shorter than three keep-alives', () => {
    const subscription = { lifetime_count: 10, max_keep_alive_count: 4 };
    expect(issues(configSchema, { endpoint: ENDPOINT, subscription })[0]?.path).toBe('subscription.lifetime_count');
  });

  it.each([
    'http://10.0.0.9:4840',
    'opc.tcp://10.0.0.9',
    'opc.tcp://10.0.0.9:0',
    'opc.tcp://10.0.0.9:70000',
    'opc.tcp://user:secret@10.0.0.9:4840',
    'opc.tcp://:4840',
    'opc.tcp://a b:4840',
    '',
  ])('refuses the endpoint %j', (text) => {
    expect(issues(configSchema, { endpoint: text })[0]?.path).toBe('endpoint');
  });

  it.each(['opc.tcp://plc:4840', 'opc.tcp://[fe80::1]:4840/a/b', 'opc.tcp://10.0.0.9:65535/'])('takes the endpoint %j', (text) => {
    expect(endpoint(configSchema.parse({ endpoint: text }))).toBe(text);
  });

  it('wants user name and password together, and refuses keys that belong to another type', () => {
    expect(issues(configSchema, { endpoint: ENDPOINT, authentication: { type: 'username_password', username: 'box' } })[0]?.path).toBe(
      'authentication.password',
    );
    expect(issues(configSchema, { endpoint: ENDPOINT, authentication: { type: 'anonymous', password: 'x' } })).toHaveLength(1);
  });

  it('can be shown as a JSON Schema', () => {
    expect(z.toJSONSchema(configSchema, { io: 'input' })).toHaveProperty('properties.endpoint');
  });
});

describe('tag of an OPC UA source', () => {
  it.each([
    'ns=2;s=Robot.Torque',
    'i=2258',
    'ns=3;i=4294967295',
    'nsu=urn:maker:cell;s=a;b=c',
    'ns=1;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63',
    'ns=1;b=YWJj',
    'ns=1;s="DB"."x y"',
  ])('takes the node id %j', (node_id) => {
    expect(tagSchema.parse({ tag_name: 't', node_id }).node_id).toBe(node_id);
  });

  it.each(['Robot.Torque', 'ns=2;Robot', 'ns=70000;i=1', 'ns=1;i=4294967296', 'ns=1;g=12', 'nsu=;s=x', 's=', ''])(
    'refuses the node id %j',
    (node_id) => {
      expect(issues(tagSchema, { tag_name: 't', node_id })[0]?.path).toBe('node_id');
    },
  );

  it('refuses a key that no tag has', () => {
    expect(issues(tagSchema, { tag_name: 't', node_id: 'i=1', nodeid: 'i=2' })).toHaveLength(1);
  });
});
