/** Runs a daemon in this process until a signal ends it. */
import { type Daemon, startDaemon } from '../app/daemon.ts';
import { formatFault, type Outcome } from '../config/fault.ts';
import type { LoadedConfig } from '../config/loaded.ts';
import { aborted, endsWithin, systemClock } from '../core/clock.ts';
import { isGatewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { createLogger, isJournal, type LeveledLog, type LogLevel } from '../system/logger.ts';
import { SdNotify } from '../system/sd-notify.ts';
import { EXIT } from './exit.ts';

/** Promised to whoever stops us; systemd waits twice as long before it kills. */
const STOP_DEADLINE_MS = 5_000;
/** One Ctrl-C comes twice where npm passes on what the terminal has sent already. */
const SAME_SIGNAL_MS = 500;
/** For the last lines of the log. */
const FLUSH_MS = 500;
const STATUS_INTERVAL_MS = 10_000;
/** Of a file that is wrong as a whole the first lines tell enough. */
const MAX_FAULTS = 20;

export interface ServeHooks {
  /** Called once, when the API answers. */
  readonly onReady?: (daemon: Daemon) => void | Promise<void>;
  /** The configuration as it is now; called on SIGHUP. */
  readonly reread?: () => Outcome<LoadedConfig>;
}

/** The daemon's log on standard output. */
export function standardLog(level: LogLevel): LeveledLog {
  return createLogger({ level, output: process.stdout, journal: isJournal(process.env, 1) });
}

/** Resolves with the exit status when SIGTERM or SIGINT has stopped the daemon, or when it could not start. */
export async function serve(config: LoadedConfig, log: LeveledLog, hooks: ServeHooks = {}): Promise<number> {
  const signal = endSignal();
  const reloads = new Reloads(log);
  if (hooks.reread) process.on('SIGHUP', () => reloads.ask());
  let daemon: Daemon;
  try {
    const starting = startDaemon({ config, log });
    await endsInTime(starting, signal, log);
    daemon = await starting;
  } catch (error) {
    if (!isGatewayError(error)) throw error;
    log.error({ code: error.code }, messageOf(error));
    return error.code === 'config_invalid' ? EXIT.config : EXIT.failed;
  }
  await hooks.onReady?.(daemon);
  if (hooks.reread) reloads.start(daemon, hooks.reread);
  const notify = new SdNotify({ env: process.env, clock: systemClock, log });
  await Promise.race([watch(daemon, { log, notify }, signal), aborted(signal)]); // systemd may think for seconds about a message
  void notify.stopping();
  return stop(daemon, log);
}

/** Aborts at SIGTERM or SIGINT. Another one later ends the process at once, as signals do by themselves. */
function endSignal(): AbortSignal {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) return;
    controller.abort();
    void systemClock.sleep(SAME_SIGNAL_MS).then(() => {
      process.off('SIGTERM', onSignal);
      process.off('SIGINT', onSignal);
    });
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return controller.signal;
}

/** A start that is told to end is waited for as long as a stop may take; nothing has been acknowledged yet that it could lose. */
async function endsInTime(starting: Promise<unknown>, signal: AbortSignal, log: Log): Promise<void> {
  const started = starting.then(
    () => undefined,
    () => undefined,
  );
  await Promise.race([started, aborted(signal)]);
  if (!signal.aborted || (await endsWithin(systemClock, STOP_DEADLINE_MS, started))) return;
  log.error({}, 'told to end before the start was done; leaving without it');
  await leaveAtOnce();
}

/** `process.exit` would wait for a thread that sits in a system call, on a disk that hangs for ever. */
async function leaveAtOnce(): Promise<never> {
  const flushed = new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  await endsWithin(systemClock, FLUSH_MS, flushed);
  process.kill(process.pid, 'SIGKILL');
  return aborted(new AbortController().signal) as Promise<never>;
}

/** One reload at a time; a signal that comes before or meanwhile asks for one more. */
class Reloads {
  readonly #log: LeveledLog;
  #reload: (() => Promise<void>) | undefined;
  #wanted = false;
  #busy = false;

  constructor(log: LeveledLog) {
    this.#log = log;
  }

  start(daemon: Daemon, reread: () => Outcome<LoadedConfig>): void {
    this.#reload = () => this.#take(daemon, reread());
    if (this.#wanted) void this.#run();
  }

  ask(): void {
    this.#wanted = true;
    if (this.#reload && !this.#busy) void this.#run();
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#wanted) {
      this.#wanted = false;
      await this.#reload?.();
    }
    this.#busy = false;
  }

  /** A configuration with faults changes nothing. Never rejects. */
  async #take(daemon: Daemon, outcome: Outcome<LoadedConfig>): Promise<void> {
    if (!outcome.ok) {
      for (const fault of outcome.faults.slice(0, MAX_FAULTS)) this.#log.error({ faults: outcome.faults.length }, formatFault(fault));
      this.#log.error({}, 'the configuration has faults; the daemon goes on with the one that it has');
      return;
    }
    const before = this.#log.setLevel(outcome.value.logLevel);
    try {
      await daemon.reload(outcome.value);
    } catch (error) {
      this.#log.setLevel(before);
      this.#log.error({ reason: messageOf(error) }, 'the configuration was not taken; the daemon goes on with the one that it has');
    }
  }
}

interface Told {
  readonly log: Log;
  readonly notify: SdNotify;
}

/** Tells systemd how we fare, until the signal. */
async function watch(daemon: Daemon, { log, notify }: Told, signal: AbortSignal): Promise<void> {
  const fields = {
    url: daemon.url,
    ...(daemon.fingerprint && { fingerprint_sha256: daemon.fingerprint }),
    ...(daemon.adminTokenFile && { admin_token_file: daemon.adminTokenFile }),
  };
  log.info(fields, 'twinbox is ready');
  await notify.ready(statusLine(daemon));
  const watchdog = notify.run(() => daemon.status().store !== 'store_stalled', signal);
  while (!signal.aborted) {
    try {
      await systemClock.sleep(STATUS_INTERVAL_MS, signal);
      await notify.status(statusLine(daemon));
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
  await watchdog;
}

function statusLine(daemon: Daemon): string {
  const { sourcesUp, sources, tags, store } = daemon.status();
  return `${sourcesUp}/${sources} sources up, ${tags} tags${store === 'ok' ? '' : `, ${store}`}`;
}

async function stop(daemon: Daemon, log: Log): Promise<number> {
  const startMs = systemClock.monotonicMs();
  let hung: readonly string[] = ['stop'];
  await endsWithin(
    systemClock,
    STOP_DEADLINE_MS,
    daemon.stop().then((parts) => {
      hung = parts;
    }),
  );
  const tookMs = Math.round(systemClock.monotonicMs() - startMs);
  if (hung.length > 0) {
    log.error({ took_ms: tookMs, parts: hung.join(', ') }, 'a part hangs; leaving without it');
    return leaveAtOnce();
  }
  log.info({ took_ms: tookMs }, 'twinbox has stopped');
  return EXIT.done;
}
