/**
 * What the sources of one tag have said to a watch: a feed and a line of numbers for each series, and which of them counts. Of several the last
 * that said something usable does; the others go on by their own clocks.
 */
import type { UnixMs } from '../core/time.ts';
import { type Feed, isOf, restoreFeed, savedFeed } from './feed.ts';
import {
  HEARD_MS,
  LAST_MS,
  type Lines,
  PREVIOUS_MS,
  PREVIOUS_VALUE,
  rateOf,
  type Sample,
  STEADY_FEED,
  STEADY_LOW,
  USABLE_MS,
  VALUE,
} from './lines.ts';
import { finite, NOTHING_SAID, type SavedVoices } from './watch-state.ts';

const NEVER = Number.NEGATIVE_INFINITY;

export class Voices {
  /** Of the newest usable sample, where it is one. */
  text: string | undefined;
  /** The series by which the usable sample that counts came: of them all the last to arrive; before the first one any that feeds this. */
  feed: Feed | undefined;
  /** All of them. */
  readonly feeds: Feed[] = [];
  #lines: Lines;
  /** That of the feed; before there is one, that of the first to come. */
  #line: number;

  constructor(lines: Lines) {
    this.#lines = lines;
    this.#line = lines.take();
  }

  /** The line for another feed. */
  takeLine(): number {
    return this.feeds.length === 0 ? this.#line : this.#lines.take();
  }

  join(feed: Feed): void {
    this.feeds.push(feed);
    this.feed ??= feed;
  }

  get isPaused(): boolean {
    return this.feed?.isPaused === true;
  }

  /** Whether there was a usable sample. */
  get isHeard(): boolean {
    return this.usableMs !== NEVER;
  }

  /** Of the feed's newest sample, bad or not. */
  get lastMs(): number {
    return this.#get(LAST_MS);
  }

  get usableMs(): number {
    return this.#get(USABLE_MS);
  }

  get value(): number {
    return this.#get(VALUE);
  }

  /** The change in one second up to the newest usable sample. */
  get rate(): number {
    return rateOf(this.value - this.#get(PREVIOUS_VALUE), this.usableMs - this.#get(PREVIOUS_MS));
  }

  /** The engine's own time when it last heard of a usable sample, of whatever feed: the last one to be heard is the one that counts. */
  get heardMs(): number {
    return this.#get(HEARD_MS);
  }

  set heardMs(engineMs: number) {
    this.#set(HEARD_MS, engineMs);
  }

  /** Of its newest sample. What is older is late and raises nothing: by the clock of this source, whatever others have said. */
  lastOf({ line }: Feed): number {
    return this.#lines.numbers[line + LAST_MS] as number;
  }

  /** A sample without a value. It speaks for its own source, whatever type that spoke in: what another said stands as before. */
  pause(feed: Feed, timeMs: UnixMs): void {
    this.#lines.numbers[feed.line + LAST_MS] = timeMs;
    for (const each of this.feeds) if (each.source === feed.source) each.isPaused = true;
    if (this.isPaused) this.unsettle();
  }

  /** A usable sample of the feed that counts. */
  take(feed: Feed, sample: Sample): void {
    if (feed.criterion.isRate) this.#remember(sample.timeMs);
    this.#lines.put(this.#line, sample);
    this.text = sample.text;
    feed.isPaused = false;
  }

  /** A usable sample that was there before; true when it is the newest of all and so the one that counts. */
  place(feed: Feed, sample: Sample): boolean {
    this.#lines.put(feed.line, sample);
    if (sample.timeMs < this.usableMs) return false;
    this.turnTo(feed);
    this.text = sample.text;
    return true;
  }

  /** From now on what this feed says counts. False where it did before. */
  turnTo(feed: Feed): boolean {
    if (feed === this.feed) return false;
    this.unsettle();
    this.feed = feed;
    this.#line = feed.line;
    return true;
  }

  /** Says which samples of the feed change nothing from now on: those that are judged as this one was. */
  settle({ number, criterion }: Feed, judged: number, hasFired: boolean): void {
    this.#set(STEADY_FEED, criterion.isRate ? -number : number);
    criterion.bands(hasFired).around(judged, this.#lines.numbers, this.#line + STEADY_LOW);
  }

  /** Every sample may change something. */
  unsettle(): void {
    this.#set(STEADY_FEED, 0);
  }

  /** The lines go back, and whoever still holds this sees it as it was. */
  leave(): void {
    const { feeds } = this;
    for (const { line } of feeds.splice(0)) if (line !== this.#line) this.#lines.giveBack(line);
    this.#lines = this.#lines.giveBack(this.#line);
    this.#line = 0;
  }

  saved(): SavedVoices {
    const { feed, feeds } = this;
    const { numbers } = this.#lines;
    return {
      ...(feed ? savedFeed(feed, numbers) : { ...NOTHING_SAID, paused: false }),
      value: this.text ?? finite(this.value),
      others: feeds.filter((other) => other !== feed && this.lastOf(other) !== NEVER).map((other) => savedFeed(other, numbers)),
    };
  }

  /** All feeds are there. */
  restore(state: SavedVoices): void {
    const { numbers } = this.#lines;
    const feed = this.feeds.find((each) => isOf(each, state)) ?? this.feed;
    if (feed) this.turnTo(feed);
    if (feed) restoreFeed(feed, numbers, state);
    for (const saved of state.others ?? []) {
      const other = this.feeds.find((each) => isOf(each, saved));
      if (other) restoreFeed(other, numbers, saved);
    }
    this.text = typeof state.value === 'string' ? state.value : undefined;
    this.unsettle();
  }

  /** Before a usable sample is taken. One of the same time as the newest takes its place. */
  #remember(timeMs: UnixMs): void {
    if (timeMs === this.usableMs) return;
    this.#set(PREVIOUS_MS, this.usableMs);
    this.#set(PREVIOUS_VALUE, this.isPaused ? Number.NaN : this.value); // no rate across a pause
  }

  #get(column: number): number {
    return this.#lines.numbers[this.#line + column] as number;
  }

  #set(column: number, value: number): void {
    this.#lines.numbers[this.#line + column] = value;
  }
}
