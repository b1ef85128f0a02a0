/** The channels of notification in the file: what a short one means, what is wrong with a bad one, and where their secrets may stand. */
import { describe, expect, test } from 'vitest';
import { configFolder } from './config-folder.ts';

const channel = (text: string) => `notifications: { channels: { a: { ${text} } } }\n`;

describe('a channel', () => {
  test('of each type arrives with its defaults, and files relative to the configuration', () => {
    const folder = configFolder();
    const { channels } = folder.load(
      `tenants: [{ id: north, name: North }]
notifications:
  channels:
    maintenance: { type: email, smtp: { host: mail.plant, tls: { ca: plant.pem } }, to: [shift@plant] }
    chat: { type: slack, url: "\${env:SLACK}", storm_limit: 5 }
    mes: { type: webhook, tenant: north, url: "https://mes.plant/hook", secret: "\${env:SECRET}", tls: { ca: /etc/ca.pem } }
    bus: { type: mqtt, broker_url: "mqtts://10.0.0.7:8883", topic: plant/alerts, username: box, password: "\${env:SECRET}" }
`,
      { env: { SLACK: 'https://hooks.slack.com/services/T0/B0/xyz', SECRET: 'a-secret-of-some-length' } },
    );
    const shared = { tenant: 'default', storm_limit: 20 };
    expect(channels).toEqual([
      {
        name: 'maintenance',
        config: {
          type: 'email',
          ...shared,
          smtp: { host: 'mail.plant', secure: false, tls: { ca: folder.path('plant.pem') } },
          to: ['shift@plant'],
        },
      },
      { name: 'chat', config: { type: 'slack', ...shared, storm_limit: 5, url: 'https://hooks.slack.com/services/T0/B0/xyz' } },
      {
        name: 'mes',
        config: {
          type: 'webhook',
          ...shared,
          tenant: 'north',
          url: 'https://mes.plant/hook',
          secret: 'a-secret-of-some-length',
          tls: { ca: '/etc/ca.pem' },
        },
      },
      {
        name: 'bus',
        config: {
          type: 'mqtt',
          ...shared,
          broker_url: 'mqtts://10.0.0.7:8883',
          topic: 'plant/alerts',
          username: 'box',
          password: 'a-secret-of-some-length',
          qos: 1,
          protocol_version: 4,
        },
      },
    ]);
  });

  const at = 'config.yaml:1:';
  test.each([
    ['type: pager', `${at}41 notifications.channels.a.type – must be one of email, slack, webhook, mqtt`],
    ['type: email, smtp: { host: m }, to: []', 'notifications.channels.a.to – must have at least 1 entries'],
    ['type: email, smtp: { host: m }, to: ["a@b\\r\\nBcc: c@d"]', 'to.0 – must be a plain mail address such as shift@plant.example'],
    ['type: email, smtp: { host: m }, to: ["A <a@b>"]', 'to.0 – must be a plain mail address'],
    ['type: email, smtp: { host: m, username: u }, to: [a@b]', 'smtp.password – is needed with "username"'],
    ['type: email, smtp: { host: m, password: p }, to: [a@b]', 'smtp.username – is needed with "password"'],
    ['type: email, smtp: { host: m, tls: { cert: c } }, to: [a@b]', 'smtp.tls.key – is needed with "cert"'],
    ['type: email, smtp: { host: m, prot: 25 }, to: [a@b]', 'unknown key "prot", did you mean "port"?'],
    ['type: slack, url: "ftp://x/y"', 'url – must be http:// or https:// and a host'],
    ['type: webhook, url: "https://u:hush@x/y"', 'url – must not hold credentials'],
    ['type: webhook, url: "https://x/y", secret: short', 'secret – must have at least 16 characters'],
    ['type: mqtt, broker_url: "http://x", topic: t', 'broker_url – must be mqtt://host:port'],
    ['type: mqtt, broker_url: "mqtt://x", topic: "a/#"', 'topic – must be a topic without "+" and "#"'],
    ['type: mqtt, broker_url: "mqtt://x", topic: t, qos: 0', 'qos – must be 1 or 2: with 0 no broker says that it took the message'],
    ['type: mqtt, broker_url: "mqtt://x", topic: t, tls: {}', 'tls – needs a broker_url with mqtts:// or wss://'],
    ['type: slack, url: "https://x/y", storm_limit: 0', 'storm_limit – must be at least 1'],
    ['type: slack, url: "https://x/y", tenant: nroth', 'notifications.channels.a.tenant – unknown tenant "nroth"; did you mean "north"?'],
  ])('%s', (text, fault) => {
    const faults = configFolder().faults(`${channel(text)}tenants: [{ id: north, name: N }]\n`);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(fault);
  });

  test('has a plain name, and there are not too many of them', () => {
    const slack = '{ type: slack, url: "https://x/y" }';
    expect(configFolder().faults(`notifications: { channels: { "a b": ${slack} } }\n`)[0]).toContain('a channel is named by 1–64 letters');
    const many = Array.from({ length: 33 }, (_, index) => `c${index}: ${slack}`).join(', ');
    expect(configFolder().faults(`notifications: { channels: { ${many} } }\n`)[0]).toContain('must have at most 32 channels');
  });
});

describe('a secret of a channel in a file that others can read is refused', () => {
  test.each([
    ['type: slack, url: "https://hooks.slack.com/services/T0/B0/xyz"', 'notifications.channels.a.url'],
    ['type: webhook, url: "https://mes/hook", secret: 0123456789abcdef', 'notifications.channels.a.secret'],
    ['type: email, smtp: { host: m, username: u, password: hush }, to: [a@b]', 'notifications.channels.a.smtp.password'],
  ])('%s', (text, path) => {
    const [fault] = configFolder().faults(channel(text), { mode: 0o644 });
    expect(fault).toContain(`${path} – a plaintext secret in a file that others on this machine can read`);
    expect(fault).not.toMatch(/xyz|0123456789abcdef|hush/);
  });
});
