/** The email channel: plain text over SMTP. With credentials nothing is said before the connection is encrypted. */
import type { SMTPError } from 'nodemailer/lib/smtp-connection';
import { GatewayError, messageOf } from '../../core/errors.ts';
import type { Channel } from './channel.ts';
import type { Letter } from './letter.ts';
import type { EmailConfig } from './schema.ts';
import { connectionError, tlsOptions } from './tls-files.ts';

const CONNECT_MS = 15_000;
/** Servers that slow strangers down hold back their greeting for up to half a minute. */
const GREETING_MS = 45_000;
/** RFC 5321 §4.2.1: "bad sequence of commands", which another connection may heal. */
const BAD_SEQUENCE = 503;

export class EmailChannel implements Channel {
  readonly target: string;
  readonly #config: EmailConfig;
  readonly #from: string;
  /** `smtp://host:port`, for messages. */
  readonly #server: string;
  readonly #port: number;

  /** `box` is the name of this machine. */
  constructor(config: EmailConfig, box: string) {
    const { host, secure, username } = config.smtp;
    this.#config = config;
    this.#port = config.smtp.port ?? (secure ? 465 : 587);
    this.#server = `${secure ? 'smtps' : 'smtp'}://${host}:${this.#port}`;
    this.#from = config.smtp.from ?? (username?.includes('@') ? username : `twinbox@${box}`);
    this.target = `${config.to.join(', ')} by ${this.#server}`;
  }

  async send(letter: Letter, signal: AbortSignal): Promise<string | null> {
    const { host, secure, username, password, tls } = this.#config.smtp;
    const { createTransport } = await import('nodemailer'); // 60 ms that a box without mail need not spend
    const transport = createTransport({
      host,
      port: this.#port,
      secure,
      ...(username !== undefined && { auth: { user: username, pass: password ?? '' }, requireTLS: !secure }),
      tls: await tlsOptions(tls),
      connectionTimeout: CONNECT_MS,
      greetingTimeout: GREETING_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    try {
      const { rejected } = await transport.sendMail({ ...this.#mail(letter), signal });
      return rejected.length > 0 ? `${this.#server} refused it for ${rejected.map(String).join(', ')}` : null;
    } catch (error) {
      throw smtpError(this.#server, error);
    } finally {
      transport.close();
    }
  }

  #mail({ id, severity, subject, text, timeMs }: Letter) {
    const domain = this.#from.slice(this.#from.lastIndexOf('@') + 1);
    return {
      from: this.#from,
      to: [...this.#config.to],
      subject,
      text,
      date: new Date(timeMs),
      messageId: `<${id.replaceAll(/[^A-Za-z0-9._-]/g, '_')}@${domain}>`, // a repeat is the same mail, and shown once
      priority: severity === 'critical' ? ('high' as const) : ('normal' as const),
      headers: { 'Auto-Submitted': 'auto-generated' }, // RFC 3834 §5: no answer "I am on holiday"
    };
  }
}

/** A 5yz on sender, address or content is for good (RFC 5321 §4.2.1). A refused login is not: somebody will mend the password. */
function smtpError(server: string, cause: unknown): GatewayError {
  const { code, responseCode = 0, command = '' } = cause as SMTPError;
  const message = `${server}: ${messageOf(cause)}`;
  if (code === 'EAUTH' || code === 'ENOAUTH') return new GatewayError('authentication_failed', message, { cause });
  if (responseCode >= 500 && responseCode !== BAD_SEQUENCE && /^(MAIL|RCPT|DATA)/.test(command))
    return new GatewayError('delivery_refused', message, { cause });
  if (responseCode > 0 || code === 'EENVELOPE' || code === 'EMESSAGE') return new GatewayError('delivery_failed', message, { cause });
  return connectionError(server, cause);
}
