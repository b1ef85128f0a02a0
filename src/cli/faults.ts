/** How the commands tell what is wrong in a configuration file. */
import { type Fault, formatFault } from '../config/fault.ts';

/** Two screens: whoever has mended these runs it again, and a file of another kind has a hundred thousand. */
const MAX_PRINTED = 50;

/** A line for each of the first faults, and one that says how many more there are. */
export function printFaults(faults: readonly Fault[], output: { write(text: string): unknown }): void {
  for (const fault of faults.slice(0, MAX_PRINTED)) output.write(`${formatFault(fault)}\n`);
  const more = faults.length - MAX_PRINTED;
  if (more > 0) output.write(`and ${more} more ${more === 1 ? 'fault' : 'faults'}\n`);
}
