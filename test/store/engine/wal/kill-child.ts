/**
 * Appends numbered records to a log until it is killed (or has done so three thousand times), and says which are synced. Arguments: folder, and the point of the log at whose
 * n-th passing it kills itself, if any.
 */
import { existsSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Ring } from '../../../../src/core/ring.ts';
import type { Sequence } from '../../../../src/core/tag.ts';
import { openWal } from '../../../../src/store/engine/wal/open-wal.ts';
import { collector, numbered, numberOf, pushInto, type Shown } from './shown.ts';

const [dir = '', point, nth = '1'] = process.argv.slice(2);
const sealedFile = join(dir, 'sealed');
let passed = 0;
const hook = (at: string) => {
  if (at === point && ++passed === Number(nth)) process.kill(process.pid, 'SIGKILL');
};

const sealed = existsSync(sealedFile) ? (JSON.parse(readFileSync(sealedFile, 'utf8')) as { sequence: number; number: number }) : undefined;
const { wal, replay } = openWal({ dir, segmentBytes: 16 << 10, maxSegments: 500, ...(point ? { hook } : {}) });
const shown: Shown[] = [];
replay(collector(shown), (sealed?.sequence ?? 0) as Sequence);
const last = shown.at(-1);
let number = last ? numberOf(last) + 1 : (sealed?.number ?? 1);
wal.release((sealed?.sequence ?? 0) as Sequence);
const ring = new Ring(1 << 13);
ring.startAt(wal.next);
for (let round = 1; round < 3_000; round++) {
  for (let count = (round * 31) % 60; count >= 0; count--) if (pushInto(ring, numbered(number))) number++;
  ring.publish();
  while (wal.next < ring.head) ring.setWritten(wal.append(ring, wal.next, ring.head));
  if (round % 3 === 0) {
    wal.sync();
    writeSync(1, `${number}\n`);
  }
  if (round % 30 === 0) {
    const sequence = wal.sync();
    writeFileSync(`${sealedFile}.new`, JSON.stringify({ sequence, number }));
    renameSync(`${sealedFile}.new`, sealedFile);
    wal.release(sequence);
  }
}
