/** The mqtt channel against brokers: what arrives, that it counts only when the broker has said so, and how refusals are taken. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AedesOptions } from 'aedes';
import { describe, expect, it, onTestFinished } from 'vitest';
import { attempt } from '../../../src/alerts/notify/attempt.ts';
import { MqttChannel } from '../../../src/alerts/notify/mqtt.ts';
import type { MqttConfig } from '../../../src/alerts/notify/schema.ts';
import { startBroker } from '../../drivers/mqtt/aedes-broker.ts';
import { makeCertificate } from '../../support/certificates.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { letter } from './letters.ts';

const signal = () => new AbortController().signal;

function mqtt(url: string, more: Partial<MqttConfig> = {}): MqttChannel {
  return new MqttChannel({
    ...{ type: 'mqtt', tenant: 'default', storm_limit: 20 },
    ...{ broker_url: url, topic: 'plant/alerts', qos: 1, protocol_version: 4 },
    ...more,
  } as MqttConfig);
}

interface Published {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly retain: boolean;
}

async function broker(options: { aedes?: AedesOptions; tls?: { cert: Buffer; key: Buffer } } = {}) {
  const started = await startBroker(options);
  onTestFinished(() => started.close());
  const published: Published[] = [];
  started.aedes.on('publish', ({ topic, payload, qos, retain }, client) => {
    if (client) published.push({ topic, payload: payload.toString(), qos, retain });
  });
  return { port: started.port, published, aedes: started.aedes };
}

describe('a letter', () => {
  it.each([1, 2] as const)('is published as JSON with QoS %i, not retained, and the connection is given up', async (qos) => {
    const { port, published, aedes } = await broker();
    expect(await mqtt(`mqtt://127.0.0.1:${port}`, { qos }).send(letter(), signal())).toBeNull();
    expect(published).toMatchObject([{ topic: 'plant/alerts', qos, retain: false }]);
    expect(JSON.parse(published[0]?.payload ?? '')).toEqual(letter().document);
    await expect.poll(() => aedes.connectedClients).toBe(0);
  });

  it('goes over TLS, with a certificate that was checked', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'twinbox-mqtt-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { certFile, keyFile } = makeCertificate(folder, 'broker');
    const { port, published } = await broker({ tls: { cert: readFileSync(certFile), key: readFileSync(keyFile) } });
    await mqtt(`mqtts://127.0.0.1:${port}`, { tls: { ca: certFile } }).send(letter(), signal());
    expect(published).toHaveLength(1);
    await expect(mqtt(`mqtts://127.0.0.1:${port}`).send(letter(), signal())).rejects.toMatchObject({ code: 'authentication_failed' });
    expect(published).toHaveLength(1);
  });

  it('goes with name and password', async () => {
    const seen: unknown[] = [];
    const authenticate: AedesOptions['authenticate'] = (_client, username, password, done) => {
      seen.push([username, password?.toString()]);
      done(null, true);
    };
    const { port } = await broker({ aedes: { authenticate } });
    await mqtt(`mqtt://127.0.0.1:${port}`, { username: 'box', password: 'hush-hush' }).send(letter(), signal());
    expect(seen).toEqual([['box', 'hush-hush']]);
  });
});

describe('a broker', () => {
  it('that does not know us may do so later', async () => {
    const { port } = await broker({ aedes: { authenticate: (_client, _username, _password, done) => done(null, false) } });
    await expect(mqtt(`mqtt://127.0.0.1:${port}`).send(letter(), signal())).rejects.toMatchObject({ code: 'authentication_failed' });
  });

  it('that drops us for what we publish has not taken it', async () => {
    const { port } = await broker({ aedes: { authorizePublish: (_client, _packet, done) => done(new Error('no')) } });
    await expect(mqtt(`mqtt://127.0.0.1:${port}`).send(letter(), signal())).rejects.toMatchObject({ code: 'not_connected' });
  });

  it('that is not there is not connected', async () => {
    await expect(mqtt('mqtt://127.0.0.1:1').send(letter(), signal())).rejects.toMatchObject({ code: 'not_connected' });
  });

  const CONNACK = Buffer.from([0x20, 2, 0, 0]);
  const CONNACK_5 = Buffer.from([0x20, 3, 0, 0, 0]);
  /** Answers CONNECT, and PUBLISH with what the test says; packets are short enough to come in one piece. */
  async function rawBroker(connack: Buffer, puback: (messageId: Buffer) => Buffer | undefined) {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
      socket.on('data', (data: Buffer) => {
        const type = (data[0] ?? 0) >> 4;
        if (type === 1) socket.write(connack);
        const answer = type === 3 ? puback(messageIdOf(data)) : undefined;
        if (answer) socket.write(answer);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    return { url: `mqtt://127.0.0.1:${(server.address() as { port: number }).port}`, sockets };
  }

  /** Behind the fixed header with its length in one to four bytes, and the topic. */
  function messageIdOf(packet: Buffer): Buffer {
    let at = 1;
    while ((packet[at] ?? 0) & 0x80) at++;
    const topicAt = at + 1;
    const idAt = topicAt + 2 + packet.readUInt16BE(topicAt);
    return packet.subarray(idAt, idAt + 2);
  }

  it('that never acknowledges has not taken it, and is left when the time is over', async () => {
    const { url, sockets } = await rawBroker(CONNACK, () => undefined);
    const clock = new ManualClock();
    const refused = expect(attempt(mqtt(url), letter(), { clock, timeoutMs: 60_000, signal: signal() })).rejects.toMatchObject({
      code: 'timeout',
    });
    await expect.poll(() => sockets.size).toBe(1);
    await clock.advance(60_000);
    await refused;
    await expect.poll(() => sockets.size).toBe(0);
  });

  it.each([
    [0x87, 'delivery_refused'], // not authorized
    [0x90, 'delivery_refused'], // topic name invalid
    [0x97, 'delivery_failed'], // quota exceeded
    [0x80, 'delivery_failed'], // unspecified
  ])('of MQTT 5 that answers 0x%i means %s', async (reason, code) => {
    const { url } = await rawBroker(CONNACK_5, (messageId) => Buffer.from([0x40, 4, ...messageId, reason, 0]));
    await expect(mqtt(url, { protocol_version: 5 }).send(letter(), signal())).rejects.toMatchObject({ code });
  });
});
