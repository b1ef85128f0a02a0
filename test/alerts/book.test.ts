/** The open alerts in memory: what people do to one, who is to be told, and which one it is. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Alert } from '../../src/alerts/alert.ts';
import { AlertBook } from '../../src/alerts/book.ts';
import { Lines } from '../../src/alerts/lines.ts';
import { Watch } from '../../src/alerts/watch.ts';
import { DEFAULT_TENANT } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { MORNING_MS } from '../support/manual-clock.ts';
import { draft } from './rig.ts';

const REMARK = { by: 'operator', note: undefined };
const LATER_MS = (MORNING_MS + 60_000) as UnixMs;

function watchOf(revision = 1): Watch {
  const times = { createdMs: MORNING_MS, updatedMs: MORNING_MS };
  return new Watch({ ...draft(), ...times, tenant: DEFAULT_TENANT, id: 'hot', revision, managedBy: 'api' }, 'Pump_001', new Lines(4));
}

describe('the book of alerts', () => {
  let changes: Alert[];
  let book: AlertBook;
  beforeEach(() => {
    changes = [];
    book = new AlertBook({ now: () => LATER_MS, onChange: (alert) => changes.push(alert) });
  });
  const begin = (watch = watchOf()) => {
    book.begin(watch, 'condition', MORNING_MS);
    const alert = changes.at(-1) as Alert;
    return { watch, alert };
  };

  it('lets a watch go whose alert was ended by its id', () => {
    const { watch, alert } = begin();
    book.endById(alert.id, 'resolved', LATER_MS, REMARK);
    expect(watch.alertId).toBeUndefined();
    expect(book.list(DEFAULT_TENANT)).toEqual([]);
  });

  it('changes nothing about an alert that is unshelved and was not shelved', () => {
    const { alert } = begin();
    expect(book.shelve(alert.id, null, { by: 'operator', note: 'no more' })).toBe(alert);
    expect(changes).toEqual([alert]);
  });

  it('has both told, beginning and end, of an alert that is over before anybody was told of it', () => {
    const { watch } = begin();
    book.end(watch, 'cleared', LATER_MS);
    expect(changes.at(-1)).toMatchObject({ status: 'resolved', untold: ['triggered', 'resolved'] });
  });

  it('has nobody told of the end of an alert whose beginning was shelved', () => {
    const { watch, alert } = begin();
    book.shelve(alert.id, LATER_MS, REMARK);
    book.end(watch, 'cleared', LATER_MS);
    expect(changes.at(-1)).toMatchObject({ status: 'resolved', untold: [] });
  });

  it('gives the first alert of a changed rule another id than the first one of the rule as it was', () => {
    const { alert, watch } = begin();
    book.end(watch, 'rule_changed', LATER_MS);
    expect(begin(watchOf(2)).alert.id).not.toBe(alert.id);
    expect(begin(watchOf(1)).alert.id).toBe(alert.id);
  });

  it('keeps the newest hundred notes of an alert', () => {
    const { alert } = begin();
    for (let note = 0; note < 130; note++) book.acknowledge(alert.id, { by: 'operator', note: String(note) });
    const texts = book.get(DEFAULT_TENANT, alert.id)?.notes.map(({ text }) => text);
    expect(texts).toEqual(Array.from({ length: 100 }, (_, at) => String(at + 30)));
  });
});
