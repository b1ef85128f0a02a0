/** A folder for the files of one benchmark. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Removed when `act` is done, whatever comes of it. */
export async function inTemporaryFolder<Result>(act: (dir: string) => Promise<Result>): Promise<Result> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-'));
  try {
    return await act(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}
