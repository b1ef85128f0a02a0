/** Streams at the stop: who reads gets the end, who does not is cut off. */
import { EventEmitter } from 'node:events';
import type { Context } from 'hono';
import { expect, it } from 'vitest';
import { OpenStreams } from '../../src/api/open-streams.ts';
import { ManualClock } from '../support/manual-clock.ts';

class Outgoing extends EventEmitter {
  cuts = 0;
  destroy(): void {
    this.cuts++;
  }
}

const contextOf = (outgoing?: Outgoing) => ({ env: outgoing && { outgoing } }) as unknown as Context;

it('cuts off after a moment those that have not closed by then', async () => {
  const clock = new ManualClock();
  const streams = new OpenStreams();
  const [stalled, reading, gone] = [new Outgoing(), new Outgoing(), new Outgoing()];
  for (const outgoing of [stalled, reading, gone]) streams.add(contextOf(outgoing));
  streams.add(contextOf());
  gone.emit('close');
  const end = streams.cutOff(clock);
  await clock.advance(149);
  reading.emit('close');
  expect([stalled.cuts, reading.cuts, gone.cuts]).toEqual([0, 0, 0]);
  await clock.advance(1);
  await end;
  expect([stalled.cuts, reading.cuts, gone.cuts]).toEqual([1, 0, 0]);
});
