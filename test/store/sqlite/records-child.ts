/** Another process at the records file: waits for a word, opens it, changes the same document many times. */
import type { UnixMs } from '../../../src/core/time.ts';
import { RecordsDatabase } from '../../../src/store/sqlite/records.ts';

const [, , file, changes] = process.argv as [string, string, string, string];
process.stdout.write('ready\n');
for await (const _ of process.stdin) break;
const records = new RecordsDatabase(file);
let revision = 0;
for (let change = 0; change < Number(changes); change++) {
  revision = records.putDocument({ kind: 'twin', tenant: 'default', id: 'shared' }, { change }, 1 as UnixMs).revision;
}
records.close();
process.stdout.write(`done ${revision}\n`);
