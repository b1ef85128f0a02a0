/** A second daemon for the lock's tests: takes the lock of a folder, says so, and holds it until it is killed or its input ends. */
import { isGatewayError } from '../../src/core/errors.ts';
import { lockDataDir } from '../../src/store/lock.ts';

try {
  const release = lockDataDir(process.argv[2] as string);
  process.stdout.write('locked\n');
  process.stdin.on('end', release).resume();
} catch (error) {
  process.stdout.write(`${isGatewayError(error) ? error.code : error}\n`);
}
