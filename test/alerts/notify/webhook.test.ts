/** The webhook and slack channels against real servers: what arrives, who it can be proven to be from, and how every answer is taken. */
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { SlackConfig, WebhookConfig } from '../../../src/alerts/notify/schema.ts';
import { SlackChannel } from '../../../src/alerts/notify/slack.ts';
import { WebhookChannel } from '../../../src/alerts/notify/webhook.ts';
import { makeCertificate } from '../../support/certificates.ts';
import { ManualClock, MORNING_MS } from '../../support/manual-clock.ts';
import { type HttpReceiver, startReceiver } from './http-receiver.ts';
import { letter } from './letters.ts';

const SECRET = 'correct horse battery staple';
const shared = { tenant: 'default', storm_limit: 20 };
const signal = () => new AbortController().signal;

function webhook(url: string, more: Partial<WebhookConfig> = {}): WebhookChannel {
  return new WebhookChannel({ type: 'webhook', ...shared, url, ...more }, new ManualClock());
}

function slack(url: string, more: Partial<SlackConfig> = {}): SlackChannel {
  return new SlackChannel({ type: 'slack', ...shared, url, ...more });
}

describe('what arrives', () => {
  it('is the whole alert as JSON, with a name for each delivery', async () => {
    const receiver = await startReceiver();
    expect(await webhook(`${receiver.url}/hook?site=7`).send(letter(), signal())).toBeNull();
    const [request] = receiver.received;
    expect([request?.method, request?.url]).toEqual(['POST', '/hook?site=7']);
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'x-twinbox-event': 'triggered',
      'x-twinbox-delivery': 'alert-1.triggered',
      'x-twinbox-timestamp': String(MORNING_MS / 1_000),
    });
    expect(request?.headers).not.toHaveProperty('x-twinbox-signature');
    expect(JSON.parse(request?.body ?? '')).toEqual({
      id: 'alert-1.triggered',
      event: 'triggered',
      box: 'box-1',
      tenant: 'default',
      alert: {
        id: 'alert-1',
        rule_id: 'ar-1',
        rule_name: 'High Temperature',
        severity: 'warning',
        message: 'temperature of pump-101 is 85.2, above 80',
        data_source_id: 'ds-1',
        asset_id: 'pump-101',
        tag_name: 'temperature',
        value: 85.2,
        threshold: 80,
        timestamp: '2026-01-06T10:00:00Z',
      },
    });
  });

  it('is signed so that the recipe of the documentation accepts it, and nothing that was changed', async () => {
    const receiver = await startReceiver();
    await webhook(receiver.url, { secret: SECRET }).send(letter({ message: 'Überdruck °C 🔥' }), signal());
    const [request] = receiver.received;
    const accepts = (body: string, timestamp: unknown, secret = SECRET) =>
      `sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`, 'utf8').digest('hex')}` ===
      request?.headers['x-twinbox-signature'];
    const timestamp = request?.headers['x-twinbox-timestamp'];
    expect(accepts(request?.body ?? '', timestamp)).toBe(true);
    expect(accepts(`${request?.body} `, timestamp)).toBe(false);
    expect(accepts(request?.body ?? '', Number(timestamp) + 1)).toBe(false);
    expect(accepts(request?.body ?? '', timestamp, `${SECRET}!`)).toBe(false);
  });

  it('is a text for Slack that can call nobody by itself', async () => {
    const receiver = await startReceiver();
    await slack(receiver.url).send(
      letter({ severity: 'critical', ruleName: 'A & B <!channel>', message: '<https://evil|click>' }),
      signal(),
    );
    const { text } = JSON.parse(receiver.received[0]?.body ?? '');
    expect(text).toContain('*[critical] A &amp; B &lt;!channel&gt;: pump-101 temperature*\n&lt;https://evil|click&gt;\n');
    expect(text).not.toMatch(/<|&(?!amp;|lt;|gt;)/);
  });
});

describe('an answer', () => {
  async function outcome(answer: HttpReceiver['answer'], url?: string) {
    const receiver = await startReceiver();
    receiver.answer = answer;
    const sent = slack(url ?? `${receiver.url}/services/T0/B0/hush-hush`).send(letter(), signal());
    const error = await sent.then(
      () => null,
      (failure) => failure,
    );
    return { error, receiver };
  }

  it.each([200, 201, 202, 204])('%i means taken', async (status) => {
    expect((await outcome((response) => response.writeHead(status).end())).error).toBeNull();
  });

  it.each([
    [301, 'delivery_refused'],
    [307, 'delivery_refused'],
    [400, 'delivery_refused'],
    [401, 'delivery_refused'],
    [404, 'delivery_refused'],
    [410, 'delivery_refused'],
    [408, 'delivery_failed'],
    [425, 'delivery_failed'],
    [429, 'delivery_failed'],
    [500, 'delivery_failed'],
    [503, 'delivery_failed'],
  ])('%i is %s, with what the server says and without the secret path', async (status, code) => {
    const { error } = await outcome((response) => response.writeHead(status).end('invalid\r\n token'));
    expect(error).toMatchObject({ code });
    expect(error.message).toContain(String(status));
    if (status >= 400) expect(error.message).toContain('invalid token');
    expect(error.message).not.toContain('hush');
  });

  it('that redirects is not followed', async () => {
    const elsewhere = await startReceiver();
    await outcome((response) => response.writeHead(308, { Location: elsewhere.url }).end());
    expect(elsewhere.received).toEqual([]);
  });

  it('without an end is read for 2 KiB and no further, and its connection is closed', async () => {
    let written = 0;
    const { error, receiver } = await outcome((response) => {
      response.writeHead(503);
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(16_384))) written += 16_384;
      };
      response.on('drain', more);
      more();
    });
    expect(error).toMatchObject({ code: 'delivery_failed' });
    expect(error.message.length).toBeLessThan(300);
    expect(written).toBeLessThan(50e6);
    await expect.poll(() => receiver.open).toBe(0);
  });

  it('that never comes ends with the signal, and its connection is closed', async () => {
    const receiver = await startReceiver();
    const stop = new AbortController();
    receiver.answer = () => stop.abort(new Error('enough'));
    await expect(slack(receiver.url).send(letter(), stop.signal)).rejects.toThrow();
    await expect.poll(() => receiver.open).toBe(0);
  });

  it('that is broken off after the status has said yes still means taken', async () => {
    const { error } = await outcome((response) => {
      response.writeHead(200, { 'Content-Length': 1_000 });
      response.write('half');
      setImmediate(() => response.destroy());
    });
    expect(error).toBeNull();
  });

  it('of something that speaks no HTTP, or nothing at all, is no delivery', async () => {
    const server = createServer((socket) =>
      socket
        .on('error', () => socket.destroy())
        .resume()
        .end('220 mail.plant ESMTP\r\n'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await expect(webhook(`http://127.0.0.1:${port}`).send(letter(), signal())).rejects.toMatchObject({ code: 'not_connected' });
    await new Promise((resolve) => server.close(resolve));
    await expect(webhook(`http://127.0.0.1:${port}`).send(letter(), signal())).rejects.toMatchObject({
      code: 'not_connected',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });
});

describe('over TLS', () => {
  function files() {
    const folder = mkdtempSync(join(tmpdir(), 'twinbox-tls-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { certFile, keyFile } = makeCertificate(folder, 'mes');
    return { certFile, tls: { cert: readFileSync(certFile), key: readFileSync(keyFile) } };
  }

  it('a certificate of an authority that the channel names is trusted', async () => {
    const { certFile, tls } = files();
    const receiver = await startReceiver(tls);
    expect(await webhook(receiver.url, { tls: { ca: certFile } }).send(letter(), signal())).toBeNull();
  });

  it('one of nobody known is not, and nothing is sent', async () => {
    const receiver = await startReceiver(files().tls);
    await expect(webhook(receiver.url).send(letter(), signal())).rejects.toMatchObject({ code: 'authentication_failed' });
    expect(receiver.received).toEqual([]);
  });

  it('one for another name is not', async () => {
    const { certFile, tls } = files();
    const receiver = await startReceiver(tls);
    const channel = webhook(receiver.url, { tls: { ca: certFile, server_name: 'other.plant' } });
    await expect(channel.send(letter(), signal())).rejects.toMatchObject({ code: 'authentication_failed' });
    expect(receiver.received).toEqual([]);
  });

  it('a file that is missing is said by its name', async () => {
    const channel = webhook('https://127.0.0.1:1', { tls: { ca: '/nonexistent/ca.pem' } });
    await expect(channel.send(letter(), signal())).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('/nonexistent/ca.pem'),
    });
  });
});
