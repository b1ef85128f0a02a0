/** Feeds an engine with the plant's records in rounds, and lets it seal, compact and sweep in between, hurried or not. */
import { Ring } from '../../src/core/ring.ts';
import type { Sequence } from '../../src/core/tag.ts';
import type { Engine } from '../../src/store/engine.ts';
import type { PlantClock } from './store-clock.ts';
import { hash, nowAt, PLANT_RING_SLOTS, type Place, placeAt, plantRecord, pushRecord } from './store-plant.ts';

export class PlantLoad {
  readonly #engine: Engine;
  readonly #clock: PlantClock;
  readonly #ring = new Ring(PLANT_RING_SLOTS);
  readonly #start: Sequence;
  #round = 0;
  #place: Place;
  #synced: Place | undefined;

  /** `from`: a place at or before `next`, where the store stands. */
  constructor(engine: Engine, clock: PlantClock, { from, next }: { readonly from: Place; readonly next: Sequence }) {
    this.#engine = engine;
    this.#clock = clock;
    this.#start = next;
    this.#place = { n: placeAt(from, next).n, sequence: next };
    this.#ring.startAt(next);
  }

  /** Everything before it has been written. */
  get place(): Place {
    return this.#place;
  }

  /** The last place that was synced. */
  get synced(): Place | undefined {
    return this.#synced;
  }

  /** `onSync` is called at once when it has synced, as it does in most rounds. */
  async round(onSync: () => void): Promise<void> {
    const random = hash(++this.#round, this.#start);
    let { n, sequence } = this.#place;
    for (let count = 5 + (random % 60); count > 0; count--) if (pushRecord(this.#ring, plantRecord(n))) n++;
    this.#clock.moveTo(nowAt(n));
    this.#ring.publish();
    while (sequence < this.#ring.head) {
      sequence = await this.#engine.write(this.#ring, sequence as Sequence, this.#ring.head);
      this.#ring.setWritten(sequence as Sequence);
    }
    this.#place = { n, sequence };
    if (random % 3 !== 0) {
      await this.sync();
      onSync();
    }
    this.#clock.isHurried = this.#round % 4 !== 0;
    for (let steps = random % 48; steps > 0; steps--) if (!(await this.#engine.expire())) break;
  }

  async sync(): Promise<void> {
    await this.#engine.sync();
    this.#synced = this.#place;
  }
}
