/** Installs the packages of the lockfile where they are missing or of another lockfile, so that `npm run demo` and `npm test` are all there is to do. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`twinbox needs Node 20.19 or newer; this is ${process.versions.node}.`);
  process.exit(1);
}
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');
const mark = join(root, 'node_modules', '.twinbox-installed');
const addon = join(root, 'node_modules', 'better-sqlite3', 'build', 'Release', 'better_sqlite3.node');
if (!existsSync(addon) || !existsSync(mark) || readFileSync(mark, 'utf8') !== wanted) {
  console.log('Installing packages; SQLite may be compiled, which takes some minutes …');
  // Not `npm ci`: it insists on optional packages of other platforms that a mirror of the registry may lack. The versions
  // are those of the lockfile all the same, and --no-save leaves it as it is.
  execFileSync('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: 'inherit' });
  writeFileSync(mark, wanted);
}
