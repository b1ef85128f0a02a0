/** An ext4 file system of its own in a file, to count what really goes to a device. Needs root and loop devices. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const SECTOR_BYTES = 512;
/** Field of /sys/block/<device>/stat (kernel: Documentation/block/stat.rst). */
const WRITTEN_SECTORS = 6;

export interface LoopDevice {
  /** Where it is mounted. */
  readonly dir: string;
  /** Bytes written to it since it was attached, after a sync of all. */
  writtenBytes(): number;
}

function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

/** Mounts a new file system of `bytes` within `folder`, and takes it away again after `act`. Throws when the machine does not let us. */
export async function withLoopDevice<Result>(folder: string, bytes: number, act: (device: LoopDevice) => Promise<Result>): Promise<Result> {
  if (process.getuid?.() !== 0) throw new Error('a file system can only be mounted by root');
  const [image, dir] = [join(folder, 'device.img'), join(folder, 'device')];
  writeFileSync(image, '');
  truncateSync(image, bytes);
  mkdirSync(dir);
  // Without lazy initialisation the kernel would go on writing inode tables behind our back.
  run('mkfs.ext4', '-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image);
  const loop = run('losetup', '--find', '--show', image);
  try {
    run('mount', '-o', 'noatime', loop, dir);
    try {
      const stat = () =>
        readFileSync(`/sys/block/${basename(loop)}/stat`, 'utf8')
          .trim()
          .split(/\s+/)
          .map(Number);
      const writtenBytes = () => {
        run('sync', '-f', dir);
        return (stat()[WRITTEN_SECTORS] ?? Number.NaN) * SECTOR_BYTES;
      };
      return await act({ dir, writtenBytes });
    } finally {
      run('umount', dir);
    }
  } finally {
    run('losetup', '--detach', loop);
  }
}
