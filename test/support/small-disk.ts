/** A disk of a few megabytes that a test may fill: ext4 in a file, mounted. Needs root. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PIECE = Buffer.alloc(1 << 16, 0x55);

export class SmallDisk {
  /** The mounted folder. */
  readonly dir: string;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.dir = join(folder, 'disk');
  }

  /** Returns why there can be none here instead. */
  static make(sizeMiB: number): SmallDisk | string {
    if (process.getuid?.() !== 0) return 'mounting a small disk needs root';
    const disk = new SmallDisk(mkdtempSync(join(tmpdir(), 'small-disk-')));
    const image = join(disk.#folder, 'image');
    mkdirSync(disk.dir);
    try {
      execFileSync('truncate', ['-s', `${sizeMiB}M`, image], { stdio: 'pipe' });
      execFileSync('mkfs.ext4', ['-q', '-m', '0', image], { stdio: 'pipe' });
      execFileSync('mount', ['-o', 'loop', image, disk.dir], { stdio: 'pipe' });
      return disk;
    } catch (error) {
      rmSync(disk.#folder, { recursive: true });
      return `mounting a small disk failed: ${error instanceof Error ? error.message : error}`;
    }
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.dir);
    return bavail * bsize;
  }

  /** As another program would: leaves so many bytes free, or none at all. */
  fill(leftBytes = 0): void {
    const file = openSync(this.#filler, 'a');
    try {
      while (this.freeBytes > leftBytes) writeSync(file, PIECE, 0, Math.min(PIECE.length, Math.max(4_096, this.freeBytes - leftBytes)));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    } finally {
      closeSync(file);
    }
  }

  /** Takes away what `fill` has written. */
  free(): void {
    rmSync(this.#filler, { force: true });
  }

  dispose(): void {
    execFileSync('umount', [this.dir], { stdio: 'pipe' });
    rmSync(this.#folder, { recursive: true });
  }

  get #filler(): string {
    return join(this.dir, 'filler');
  }
}
