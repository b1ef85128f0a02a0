/** Tells systemd how the daemon fares: ready, stopping, one line of status, and that it is still alive. sd_notify(3). */
import { spawn } from 'node:child_process';
import type { Clock } from '../core/clock.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import { type Log, ThrottledLog } from '../core/log.ts';

export interface SdNotifyOptions {
  /** `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are read from it, and it is handed to the command. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Log;
  /** What sends a message; `systemd-notify`, as Node has no unix datagrams. */
  readonly command?: string;
}

const SEND_TIMEOUT_MS = 5_000; // systemd itself waits no longer for its barrier

/** Does nothing where no service manager listens. Never rejects: a lost message is logged. */
export class SdNotify {
  readonly #options: SdNotifyOptions;
  readonly #log: ThrottledLog;
  #status = '';
  /** Messages go out one after the other: STOPPING must not overtake READY. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: SdNotifyOptions) {
    this.#options = options;
    this.#log = new ThrottledLog(options.log, options.clock);
  }

  ready(status: string): Promise<void> {
    this.#status = status;
    return this.#send(['READY=1', statusLine(status)]);
  }

  /** Sent only when it differs from the last one. */
  status(text: string): Promise<void> {
    if (text === this.#status) return this.#last;
    this.#status = text;
    return this.#send([statusLine(text)]);
  }

  stopping(): Promise<void> {
    return this.#send(['STOPPING=1']);
  }

  /** How long systemd waits for a sign of life before it kills; undefined when it does not watch this process. */
  get watchdogMs(): number | undefined {
    const { env } = this.#options;
    const pid = env['WATCHDOG_PID'];
    if (pid && pid !== String(process.pid)) return undefined;
    const usec = Number(env['WATCHDOG_USEC']);
    return env['NOTIFY_SOCKET'] && usec > 0 && Number.isFinite(usec) ? usec / 1_000 : undefined;
  }

  /** Gives a sign of life twice in each watchdog period, as long as `healthy` says so. Resolves on abort. */
  async run(healthy: () => boolean, signal: AbortSignal): Promise<void> {
    const periodMs = this.watchdogMs;
    if (periodMs === undefined) return;
    while (!signal.aborted) {
      if (this.#isHealthy(healthy)) await this.#send(['WATCHDOG=1']);
      await this.#rest(periodMs / 2, signal);
    }
  }

  #isHealthy(healthy: () => boolean): boolean {
    try {
      if (healthy()) return true;
      this.#log.warn('unhealthy', {}, 'the watchdog gets no sign of life: a part of the daemon stands still');
    } catch (error) {
      this.#log.warn('health check', { error: messageOf(error) }, 'the health check failed; the watchdog gets no sign of life');
    }
    return false;
  }

  async #rest(durationMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.clock.sleep(durationMs, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #send(assignments: readonly string[]): Promise<void> {
    if (!this.#options.env['NOTIFY_SOCKET']) return Promise.resolve();
    this.#last = this.#last.then(() => this.#sendNow(assignments));
    return this.#last;
  }

  async #sendNow(assignments: readonly string[]): Promise<void> {
    try {
      await runCommand(this.#options.command ?? 'systemd-notify', assignments, this.#options.env);
    } catch (error) {
      this.#log.warn('send', { error: messageOf(error) }, 'could not notify systemd');
    }
  }
}

function statusLine(text: string): string {
  return `STATUS=${text.replaceAll(/[\r\n]+/g, ' ')}`;
}

/**
 * Without `--no-block`: systemd finds the unit by the sender's process, which must not be gone before it has looked
 * (systemd-notify(1)). Needs `NotifyAccess=all`, for the sender is a child.
 */
function runCommand(command: string, args: readonly string[], env: SdNotifyOptions['env']): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...env }, stdio: 'ignore', timeout: SEND_TIMEOUT_MS, killSignal: 'SIGKILL' });
    child.once('error', (cause) => reject(new GatewayError('not_supported', `${command} cannot be started`, { cause })));
    child.once('exit', (code, killedBy) => {
      if (code === 0) resolve();
      else reject(new GatewayError('not_supported', `${command} ended with ${killedBy ?? code}`));
    });
  });
}
