/** How much memory there is for this process. */
import { totalmem } from 'node:os';

/** In bytes: the machine's, or what the service is given (`MemoryMax` of its unit) where that is less. */
export function memoryBytes(): number {
  const limit = process.constrainedMemory(); // 0 or beyond all measure where there is none
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
