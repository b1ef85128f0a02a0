/** Tries a source: over its present link where it has one, else over one that is made for the trial and let go. */
import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import { isBad } from '../core/status.ts';
import type { Driver, PeerFacts, Reading, TagRef } from '../drivers/driver.ts';
import type { CommandFailure } from './commands.ts';
import type { SourceSpec } from './source.ts';
import type { Supervisor } from './supervisor.ts';

/** Of the ten seconds that an answer may take, one is for who the peer is and one for letting the link go. */
const LIMIT_MS = 8_000;
const CLOSE_MS = 1_000;
/** Who the peer is, is worth no more: the test is of the source. */
const IDENTIFY_MS = 1_000;
/** Enough to see that the plan is right; all tags of a large device would not come in time. */
const TAGS_READ = 5;

export interface TestCheck {
  readonly name: 'connect' | 'read';
  readonly ok: boolean;
  /** One sentence for people. */
  readonly message: string;
}

export interface SourceTestResult {
  readonly success: boolean;
  readonly latencyMs: number;
  readonly message: string;
  readonly checks: readonly TestCheck[];
  /** True where the source's own link was used. */
  readonly live: boolean;
  /** What the peer says of itself. */
  readonly server: PeerFacts;
  /** The first value that was read. */
  readonly sample: Reading | null;
}

export interface TestParts {
  readonly supervisor: Pick<Supervisor, 'isLive' | 'readNow' | 'createDriver' | 'identify'>;
  readonly clock: Clock;
}

/** Never rejects: whatever fails is in the result. Takes ten seconds at most. */
export async function testSource(spec: SourceSpec, { supervisor, clock }: TestParts): Promise<SourceTestResult> {
  const startMs = clock.monotonicMs();
  const live = supervisor.isLive(spec);
  const tags = refsOf(spec);
  const tookMs = () => Math.round(clock.monotonicMs() - startMs);
  let latencyMs: number | undefined;
  const who = (ask: (signal: AbortSignal) => Promise<PeerFacts>) => {
    latencyMs = tookMs();
    return identified(ask, clock);
  };
  const trial = live ? overLiveLink(supervisor, spec, tags) : overOwnLink({ supervisor, clock }, spec, tags, who);
  const { checks, sample, server = {} } = await trial;
  const facts = live ? await who((signal) => supervisor.identify(spec.id, signal)) : server;
  const failed = checks.find(({ ok }) => !ok);
  return {
    success: failed === undefined,
    latencyMs: latencyMs ?? tookMs(),
    message: failed?.message ?? checks.at(-1)?.message ?? '',
    checks,
    live,
    server: facts,
    sample,
  };
}

interface Trial {
  readonly checks: readonly TestCheck[];
  readonly sample: Reading | null;
  readonly server?: PeerFacts;
}

async function overLiveLink(supervisor: TestParts['supervisor'], spec: SourceSpec, tags: readonly TagRef[]): Promise<Trial> {
  const connect: TestCheck = { name: 'connect', ok: true, message: 'the source is connected' };
  const refs = tags.map((tag) => ({ ...tag, sourceId: spec.id }));
  const outcomes = await supervisor.readNow(refs, AbortSignal.timeout(LIMIT_MS));
  const failure = outcomes.find((outcome): outcome is CommandFailure => !outcome.ok);
  if (failure?.code === 'not_supported') return { checks: [connect], sample: null };
  if (failure) return { checks: [connect, { name: 'read', ok: false, message: failure.message }], sample: null };
  return judged(
    connect,
    outcomes.flatMap((outcome) => (outcome.ok ? [outcome.reading] : [])),
  );
}

type Who = (ask: (signal: AbortSignal) => Promise<PeerFacts>) => Promise<PeerFacts>;

async function overOwnLink({ supervisor, clock }: TestParts, spec: SourceSpec, tags: readonly TagRef[], who: Who): Promise<Trial> {
  const ending = new AbortController();
  const late = clock.sleep(LIMIT_MS, ending.signal).then(
    () => ending.abort(),
    () => undefined, // over in time
  );
  let driver: Driver | undefined;
  let connect: TestCheck = { name: 'connect', ok: false, message: `no answer within ${LIMIT_MS / 1_000} s` };
  try {
    driver = await supervisor.createDriver(spec);
    const linked = await Promise.race([driver.connect(ending.signal).then(() => true), late.then(() => false)]);
    if (!linked) return { checks: [connect], sample: null };
    connect = { name: 'connect', ok: true, message: 'the connection stands' };
    const peer = driver;
    const identify = () => who(async (signal) => (await peer.identify?.(signal)) ?? {});
    if (!driver.readNow) return { checks: [connect], sample: null, server: await identify() };
    const readings = await Promise.race([driver.readNow(tags, ending.signal), late]);
    if (readings) return { ...judged(connect, readings), server: await identify() };
    return { checks: [connect, { name: 'read', ok: false, message: `no values within ${LIMIT_MS / 1_000} s` }], sample: null };
  } catch (error) {
    if (ending.signal.aborted) return { checks: [connect], sample: null };
    const failed: TestCheck = { name: connect.ok ? 'read' : 'connect', ok: false, message: messageOf(error) };
    return { checks: connect.ok ? [connect, failed] : [failed], sample: null };
  } finally {
    ending.abort();
    if (driver) await letGo(driver, clock);
  }
}

/** Never rejects: without an answer in time there is nothing to show. */
async function identified(ask: (signal: AbortSignal) => Promise<PeerFacts>, clock: Clock): Promise<PeerFacts> {
  const ending = new AbortController();
  const late = clock.sleep(IDENTIFY_MS, ending.signal).then(
    () => ({}),
    () => ({}), // over in time
  );
  try {
    return await Promise.race([ask(ending.signal), late]);
  } catch {
    return {}; // the checks have said what is wrong with the link
  } finally {
    ending.abort();
  }
}

function judged(connect: TestCheck, readings: readonly Reading[]): Trial {
  if (readings.length === 0) return { checks: [connect], sample: null };
  const good = readings.filter(({ status, value }) => value !== null && !isBad(status));
  const bad = readings.filter((reading) => !good.includes(reading)).map(({ tagName }) => tagName);
  const message = bad.length === 0 ? `${good.length} of ${readings.length} tags read` : `no value for ${bad.join(', ')}`;
  return { checks: [connect, { name: 'read', ok: bad.length === 0, message }], sample: good[0] ?? readings[0] ?? null };
}

/** The first tags that have a name; those that a topic names come by themselves. */
function refsOf({ id, tags }: SourceSpec): readonly TagRef[] {
  return tags
    .flatMap(({ tag_name: tagName, asset_id: assetId = id }) => (tagName === undefined ? [] : [{ assetId, tagName }]))
    .slice(0, TAGS_READ);
}

/** A link that does not go in time goes later, by itself. */
async function letGo(driver: Driver, clock: Clock): Promise<void> {
  const closed = new AbortController();
  const late = clock.sleep(CLOSE_MS, closed.signal).catch(() => undefined);
  await Promise.race([driver.close().catch(() => undefined), late]);
  closed.abort();
}
