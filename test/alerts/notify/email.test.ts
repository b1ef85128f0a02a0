/** The email channel against real mail servers: what arrives, what is never sent in the clear, and how every refusal is taken. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { attempt } from '../../../src/alerts/notify/attempt.ts';
import { EmailChannel } from '../../../src/alerts/notify/email.ts';
import type { EmailConfig } from '../../../src/alerts/notify/schema.ts';
import { makeCertificate } from '../../support/certificates.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { letter } from './letters.ts';
import { reply, startMailServer } from './smtp-receiver.ts';

const signal = () => new AbortController().signal;
const LOGIN = { username: 'box', password: 'hush-hush' };

function email(port: number, smtp: Partial<EmailConfig['smtp']> = {}, to: string[] = ['shift@plant.example']): EmailChannel {
  const config = { host: '127.0.0.1', port, secure: false, ...smtp };
  return new EmailChannel({ type: 'email', tenant: 'default', storm_limit: 20, smtp: config, to }, 'box-1');
}

function certificate() {
  const folder = mkdtempSync(join(tmpdir(), 'twinbox-mail-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { certFile, keyFile } = makeCertificate(folder, 'mail');
  return { certFile, tls: { cert: readFileSync(certFile), key: readFileSync(keyFile) } };
}

/** Headers by their name in lower case. */
function headersOf(text: string): ReadonlyMap<string, string> {
  const [head = ''] = text.split('\r\n\r\n');
  const lines = head.replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n');
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]));
}

describe('a mail', () => {
  it('has the alert in plain text, for everybody in the list', async () => {
    const { port, mails } = await startMailServer();
    const to = ['shift@plant.example', 'chief@plant.example'];
    expect(await email(port, { from: 'alarms@plant.example' }, to).send(letter({ severity: 'critical' }), signal())).toBeNull();
    expect(mails).toHaveLength(1);
    const [mail] = mails;
    expect(mail).toMatchObject({ from: 'alarms@plant.example', to, secure: false, user: null });
    const headers = headersOf(mail?.text ?? '');
    expect(headers.get('subject')).toBe('[critical] High Temperature: pump-101 temperature');
    expect(headers.get('message-id')).toBe('<alert-1.triggered@plant.example>');
    expect(headers.get('date')).toBe('Tue, 06 Jan 2026 10:00:00 +0000');
    expect(headers.get('content-type')).toContain('text/plain');
    expect(headers.get('auto-submitted')).toBe('auto-generated');
    for (const line of ['temperature of pump-101 is 85.2, above 80', 'Threshold: 80', 'Box:       box-1'])
      expect(mail?.text).toContain(line);
  });

  it.each([
    [{}, 'twinbox@box-1'],
    [{ ...LOGIN, username: 'box@plant.example' }, 'box@plant.example'],
    [{ ...LOGIN, from: 'other@plant.example' }, 'other@plant.example'],
  ])('is from whom the configuration says: %o', async (smtp, from) => {
    const { certFile, tls } = certificate();
    const { port, mails } = await startMailServer(tls);
    await email(port, { ...smtp, tls: { ca: certFile } }).send(letter(), signal());
    expect(mails[0]?.from).toBe(from);
  });

  it('gets no header and no recipient from what a rule or a device is called', async () => {
    const { port, mails } = await startMailServer();
    const evil = 'x\r\nBcc: evil@evil.example\r\nX-Evil: 1\r\n\r\nbody\u2028\n.\r\nQUIT';
    await email(port).send(
      letter({ alertId: `alert>\r\nX-Evil: 1`, ruleName: evil, assetId: evil, tagName: evil, message: evil }),
      signal(),
    );
    expect(mails).toHaveLength(1);
    expect(mails[0]?.to).toEqual(['shift@plant.example']);
    const headers = headersOf(mails[0]?.text ?? '');
    expect([...headers.keys()].filter((name) => /evil|bcc/.test(name))).toEqual([]);
    expect(headers.get('subject')?.startsWith('[warning]')).toBe(true);
  });
});

describe('a login', () => {
  it('goes over STARTTLS, with a certificate that was checked', async () => {
    const { certFile, tls } = certificate();
    const { port, mails } = await startMailServer(tls);
    await email(port, { ...LOGIN, tls: { ca: certFile } }).send(letter(), signal());
    expect(mails).toMatchObject([{ secure: true, user: 'box' }]);
  });

  it('goes over TLS from the first byte where the channel says so', async () => {
    const { certFile, tls } = certificate();
    const { port, mails } = await startMailServer({ ...tls, secure: true });
    await email(port, { ...LOGIN, secure: true, tls: { ca: certFile } }).send(letter(), signal());
    expect(mails).toMatchObject([{ secure: true, user: 'box' }]);
  });

  it('is never sent in the clear: a server without STARTTLS gets neither password nor mail', async () => {
    const logins: unknown[] = [];
    const { port, mails } = await startMailServer({
      onAuth: (auth, _session, done) => {
        logins.push(auth);
        done(null, { user: 'x' });
      },
    });
    await expect(email(port, LOGIN).send(letter(), signal())).rejects.toMatchObject({ name: 'GatewayError' });
    expect([logins, mails]).toEqual([[], []]);
  });

  it.each([false, true])('is not sent to a server whose certificate nobody known has signed (secure: %s)', async (secure) => {
    const logins: unknown[] = [];
    const onAuth = (auth: unknown, _session: unknown, done: (error: null, answer: { user: string }) => void) => {
      logins.push(auth);
      done(null, { user: 'x' });
    };
    const { port, mails } = await startMailServer({ ...certificate().tls, secure, onAuth });
    const sent = email(port, { ...LOGIN, secure }).send(letter(), signal());
    await expect(sent).rejects.toMatchObject({ message: expect.stringMatching(/self-signed certificate/) });
    expect([logins, mails]).toEqual([[], []]);
  });

  it('that is refused is tried again later, for somebody will mend the password', async () => {
    const { certFile, tls } = certificate();
    const { port } = await startMailServer({ ...tls, onAuth: (_auth, _session, done) => done(reply(535, 'who are you')) });
    const sent = email(port, { ...LOGIN, tls: { ca: certFile } }).send(letter(), signal());
    await expect(sent).rejects.toMatchObject({ code: 'authentication_failed', message: expect.stringContaining('535') });
  });
});

describe('a server', () => {
  it.each([
    [550, 'delivery_refused'],
    [553, 'delivery_refused'],
    [450, 'delivery_failed'],
    [451, 'delivery_failed'],
  ])('that answers %i to every address means %s', async (code, expected) => {
    const { port } = await startMailServer({ onRcptTo: (_address, _session, done) => done(reply(code, 'not today')) });
    await expect(email(port).send(letter(), signal())).rejects.toMatchObject({
      code: expected,
      message: expect.stringContaining('not today'),
    });
  });

  it('that refuses one address for good and another for now is asked again', async () => {
    const { port } = await startMailServer({
      onRcptTo: ({ address }, _session, done) => done(reply(address.startsWith('a') ? 550 : 451, 'no')),
    });
    const to = ['a@plant.example', 'b@plant.example', 'a2@plant.example'];
    await expect(email(port, {}, to).send(letter(), signal())).rejects.toMatchObject({ code: 'delivery_failed' });
  });

  it('that refuses one of several addresses has taken the mail, and the other is named', async () => {
    const { port, mails } = await startMailServer({
      onRcptTo: ({ address }, _session, done) => (address.startsWith('a') ? done(reply(550, 'unknown')) : done()),
    });
    expect(await email(port, {}, ['a@plant.example', 'b@plant.example']).send(letter(), signal())).toContain(
      'refused it for a@plant.example',
    );
    expect(mails.map(({ to }) => to)).toEqual([['b@plant.example']]);
  });

  it.each([
    [554, 'delivery_refused'],
    [452, 'delivery_failed'],
  ])('that answers %i to the mail itself means %s', async (code, expected) => {
    const { port } = await startMailServer({
      onData: (stream, _session, done) => {
        stream.resume();
        stream.on('end', () => done(reply(code, 'no')));
      },
    });
    await expect(email(port).send(letter(), signal())).rejects.toMatchObject({ code: expected });
  });

  it('that turns us away at the door is asked again', async () => {
    const { port } = await startMailServer({ onConnect: (_session, done) => done(reply(554, 'not you')) });
    await expect(email(port).send(letter(), signal())).rejects.toMatchObject({ code: 'delivery_failed' });
  });

  it('that is not there is not connected', async () => {
    await expect(email(1).send(letter(), signal())).rejects.toMatchObject({
      code: 'not_connected',
      message: expect.stringContaining('smtp://127.0.0.1:1'),
    });
  });

  it.each(['', '220 mail ESMTP\r\n'])('that hangs after %j is left when the time is over, and its connection closed', async (greeting) => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
      socket.resume().write(greeting);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const clock = new ManualClock();
    const { port } = server.address() as { port: number };
    const sent = attempt(email(port), letter(), { clock, timeoutMs: 60_000, signal: signal() });
    const refused = expect(sent).rejects.toMatchObject({ code: 'timeout' });
    await expect.poll(() => sockets.size).toBe(1);
    await clock.advance(60_000);
    await refused;
    await expect.poll(() => sockets.size).toBe(0);
  });
});
