/** The certificate that the API shows: which one, where it comes from, and what happens when its files change. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isLoopback } from '../config/listen.ts';
import type { LoadedConfig } from '../config/loaded.ts';
import { isTlsFault, readTlsPair, type TlsFiles, type TlsPair, validityFault } from '../config/tls-pair.ts';
import type { Clock } from '../core/clock.ts';
import { asGatewayError, GatewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { ticks } from '../core/ticker.ts';
import type { UnixMs } from '../core/time.ts';

const DAY_MS = 86_400_000;
const LOOK_EVERY_MS = 60_000; // a renewed certificate is served within a minute
const EXPIRY_WARNING_MS = 30 * DAY_MS;
/** Before a certificate of our own ends: nobody is to meet one that has ended, and who pinned it had the warnings. */
const RENEW_BEFORE_MS = DAY_MS;
/** A disk that is full now may have room in an hour; each try costs a second of CPU. */
const RENEW_AGAIN_MS = 3_600_000;

export interface TlsOptions {
  readonly clock: Clock;
  readonly log: Log;
}

/** What the API is served with; undefined for plain HTTP. Throws `config_invalid`, or `data_dir_unusable` where none can be made. */
export async function openTls(config: LoadedConfig, options: TlsOptions): Promise<Certificate | undefined> {
  if (config.tls) return Certificate.open(config.tls, options);
  if (isLoopback(config.listen.host) || config.allowPlaintext) return undefined;
  const files = { certFile: ownCertificate(config.dataDir), keyFile: join(config.dataDir, 'tls', 'key.pem') };
  const known = readTlsPair(files);
  if (isTlsFault(known)) await make(files, options, known.message);
  else if (mustRenew(known, options.clock.now())) await make(files, options, ENDING);
  return Certificate.open(files, options, { isOwn: true });
}

/** The file of the certificate that the box makes for itself. */
export function ownCertificate(dataDir: string): string {
  return join(dataDir, 'tls', 'certificate.pem');
}

const ENDING = 'the one before ends';

function mustRenew({ toMs }: TlsPair, nowMs: UnixMs): boolean {
  return toMs - RENEW_BEFORE_MS <= nowMs;
}

async function make(files: TlsFiles, { clock, log }: TlsOptions, reason: string): Promise<void> {
  try {
    const { makeSelfSigned } = await import('../system/self-signed.ts');
    await makeSelfSigned(files, clock.now());
  } catch (error) {
    throw asGatewayError(error, 'data_dir_unusable', `no certificate for the API can be made at ${files.certFile}`);
  }
  log.info({ certificate: files.certFile, reason }, 'made a certificate for the API; clients must be told to trust it');
}

export class Certificate {
  readonly #files: TlsFiles;
  readonly #options: TlsOptions;
  /** Made by this box, and so made anew by it before it ends. */
  readonly #isOwn: boolean;
  #pair: TlsPair;
  /** What the files looked like when they were read last. */
  #seen: string;
  #warnedMs = Number.NEGATIVE_INFINITY;
  #renewedMs = Number.NEGATIVE_INFINITY;

  private constructor(files: TlsFiles, options: TlsOptions & { readonly isOwn: boolean }, { pair, seen }: { pair: TlsPair; seen: string }) {
    this.#files = files;
    this.#options = options;
    this.#isOwn = options.isOwn;
    this.#pair = pair;
    this.#seen = seen;
  }

  /** Throws `config_invalid`. One that is out of its time is served all the same, with an error in the log. */
  static async open(files: TlsFiles, options: TlsOptions, { isOwn } = { isOwn: false }): Promise<Certificate> {
    const seen = await lookOf(files);
    const pair = readTlsPair(files);
    if (isTlsFault(pair)) throw new GatewayError('config_invalid', `api.tls.${pair.part}: ${pair.message}`);
    const certificate = new Certificate(files, { ...options, isOwn }, { pair, seen });
    certificate.#warnOfTime();
    return certificate;
  }

  get pair(): TlsPair {
    return this.#pair;
  }

  /** Looks at the files each minute until the signal aborts, makes anew what it may, and hands over a pair that is new and whole. */
  async run(serve: (pair: TlsPair) => void, signal: AbortSignal): Promise<void> {
    for await (const _ of ticks(this.#options.clock, LOOK_EVERY_MS, signal)) {
      try {
        await this.#look(serve);
      } catch (error) {
        this.#options.log.error({ error: messageOf(error) }, 'the certificate of the API cannot be looked at');
      }
    }
  }

  async #look(serve: (pair: TlsPair) => void): Promise<void> {
    this.#warnOfTime();
    if (this.#isOwn) await this.#renew();
    const seen = await lookOf(this.#files);
    if (seen === this.#seen) return;
    this.#seen = seen;
    const pair = readTlsPair(this.#files);
    const { log } = this.#options;
    if (isTlsFault(pair)) {
      log.error({ fault: pair.message }, 'the new certificate of the API cannot be used; the old one is served on');
      return;
    }
    if (pair.fingerprint === this.#pair.fingerprint && pair.key === this.#pair.key && pair.cert === this.#pair.cert) return;
    this.#pair = pair;
    this.#warnedMs = Number.NEGATIVE_INFINITY;
    serve(pair);
    log.info({ fingerprint_sha256: pair.fingerprint }, 'the API serves a new certificate');
    this.#warnOfTime();
  }

  async #renew(): Promise<void> {
    const { clock, log } = this.#options;
    if (!mustRenew(this.#pair, clock.now()) || clock.monotonicMs() < this.#renewedMs + RENEW_AGAIN_MS) return;
    this.#renewedMs = clock.monotonicMs();
    try {
      await make(this.#files, this.#options, ENDING);
    } catch (error) {
      log.error({ error: messageOf(error) }, 'the certificate of the API cannot be renewed; the old one is served on');
    }
  }

  /** Once a day. */
  #warnOfTime(): void {
    const { clock, log } = this.#options;
    const nowMs = clock.now();
    const fault = validityFault(this.#pair, nowMs);
    const leftMs = this.#pair.toMs - nowMs;
    if ((!fault && leftMs > EXPIRY_WARNING_MS) || clock.monotonicMs() < this.#warnedMs + DAY_MS) return;
    this.#warnedMs = clock.monotonicMs();
    const fields = { certificate: this.#files.certFile };
    if (fault) log.error(fields, `${fault}; clients that check will refuse the API`);
    else log.warn({ ...fields, days: Math.floor(leftMs / DAY_MS) }, 'the certificate of the API expires soon');
  }
}

/** Changes whenever one of the files does; one that is missing looks like itself. */
async function lookOf({ certFile, keyFile }: TlsFiles): Promise<string> {
  const looks = await Promise.all(
    [certFile, keyFile].map(async (file) => {
      try {
        const { mtimeMs, size, ino } = await stat(file);
        return `${mtimeMs} ${size} ${ino}`;
      } catch (error) {
        return messageOf(error);
      }
    }),
  );
  return looks.join(' / ');
}
