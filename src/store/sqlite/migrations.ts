/** Brings a database file to the present layout, one numbered step at a time, each in its own transaction. */
import { GatewayError } from '../../core/errors.ts';
import type { Database } from './database.ts';

/** Step n takes a file of version n − 1 to version n. Steps are never edited, only added. */
export type Migrations = readonly string[];

/** Several processes may do so at once. Throws `store_failed` for a file that a newer twinbox has written. */
export function migrate(database: Database, migrations: Migrations, name: string): void {
  const version = () => Number(database.pragma('user_version', { simple: true }));
  if (version() > migrations.length) {
    throw new GatewayError(
      'store_failed',
      `${name} has layout ${version()}, this twinbox knows ${migrations.length}: it was written by a newer version`,
    );
  }
  const step = database.transaction(() => {
    const next = version(); // asked again with the write lock held: another process may have been first
    if (next >= migrations.length) return;
    database.exec(migrations[next] as string);
    database.pragma(`user_version = ${next + 1}`);
  });
  while (version() < migrations.length) step.immediate();
}
