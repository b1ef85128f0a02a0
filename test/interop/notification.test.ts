/** Channels of the built daemon, with the libraries as they are bundled: mosquitto hands on what is published, a mail server gets mail. */
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startMailServer } from '../alerts/notify/smtp-receiver.ts';
import { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/wait.ts';
import { leaveOut, Mosquitto } from './peers.ts';

const left = await leaveOut('mosquitto');

describe.skipIf(left)('a channel to mosquitto', () => {
  let broker: Mosquitto;
  let daemon: TestDaemon;

  beforeAll(async () => {
    broker = await Mosquitto.create();
    await broker.start();
    const channel = { type: 'mqtt', broker_url: broker.url, topic: 'plant/alerts' };
    const channels = {
      bus: { ...channel, qos: 1 },
      exact: { ...channel, qos: 2, protocol_version: 5 },
      both: { ...channel, protocol_version: 5 },
    };
    daemon = await TestDaemon.start({ notifications: { channels } });
  });

  afterAll(async () => {
    await daemon?.dispose();
    await broker?.dispose();
  });

  test.each(['bus', 'exact', 'both'])('publishes what the broker takes and hands on, not retained: %s', async (name) => {
    const client = await mqtt.connectAsync(broker.url);
    const messages: { readonly text: string; readonly retain: boolean }[] = [];
    client.on('message', (_topic, payload, { retain }) => messages.push({ text: payload.toString(), retain }));
    await client.subscribeAsync('plant/alerts', { qos: 2 });
    const { status, body } = await daemon.post(`/v1/notification-channels/${name}/test`, {});
    expect([status, body.data.status, body.data.message]).toEqual([200, 'delivered', null]);
    const [message] = await eventually(() => (messages.length > 0 ? messages : undefined), { what: 'the message', timeoutMs: 10_000 });
    expect(JSON.parse(message?.text ?? '')).toMatchObject({ event: 'test', tenant: 'default' });
    expect(message?.retain).toBe(false);
    await client.endAsync();
    const late = await mqtt.connectAsync(broker.url);
    const retained: unknown[] = [];
    late.on('message', (_topic, payload) => retained.push(payload));
    await late.subscribeAsync('plant/alerts', { qos: 1 });
    await late.publishAsync('plant/alerts', 'end', { qos: 1 });
    await eventually(() => (retained.length > 0 ? true : undefined), { what: 'the end', timeoutMs: 10_000 });
    expect(retained.map(String)).toEqual(['end']);
    await late.endAsync();
  });

  test('says that a broker is away, and works again when it is back', async () => {
    await broker.stop();
    const away = await daemon.post('/v1/notification-channels/bus/test', {});
    expect(away.body.data).toMatchObject({ status: 'failed', code: 'not_connected' });
    await broker.start();
    const back = await daemon.post('/v1/notification-channels/bus/test', {});
    expect(back.body.data).toMatchObject({ status: 'delivered' });
  });
});

test('a mail of the built daemon arrives', async () => {
  const { port, mails } = await startMailServer();
  const mail = { type: 'email', smtp: { host: '127.0.0.1', port }, to: ['shift@plant.example'] };
  const daemon = await TestDaemon.start({ notifications: { channels: { mail } } });
  try {
    const { body } = await daemon.post('/v1/notification-channels/mail/test', {});
    expect(body.data).toMatchObject({ status: 'delivered', message: null });
    expect(mails).toMatchObject([{ to: ['shift@plant.example'] }]);
    expect(mails[0]?.text).toContain('This is a test of the channel "mail".');
  } finally {
    await daemon.dispose();
  }
});
