/** What is wrong in a configuration file, and where. */

/** Keys and list indexes from the root of the file. */
export type Path = readonly (string | number)[];

/** Line and column start at 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Fault extends Position {
  readonly file: string;
  /** Dotted, such as `sources.0.port`; empty when the whole file is meant. */
  readonly path: string;
  readonly message: string;
}

/** A value, or everything that is wrong with it. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly faults: readonly Fault[] };

/** A fault of the file as a whole: it cannot be read, or is empty. */
export function fileFault(file: string, message: string): Fault {
  return { file, line: 1, column: 1, path: '', message };
}

/** `config.yaml:4:11 sources.0.port – expected number, got string` */
export function formatFault(fault: Fault): string {
  const place = `${fault.file}:${fault.line}:${fault.column}`;
  return fault.path ? `${place} ${fault.path} – ${fault.message}` : `${place} – ${fault.message}`;
}
