/** Which files sources that were made over the API may name: who may make a source must not learn what else lies on the box, nor use its keys. */
import { isAbsolute, relative, resolve } from 'node:path';

/** One text for all files, so that answers do not tell what is where. */
const DENIED = 'is not in a folder that sources made over the API may name files of; see security.files.allow';

export class FilePolicy {
  #folders: readonly string[];

  /** Absolute names. What links in these folders lead to is the operator's word too. */
  constructor(folders: readonly string[]) {
    this.#folders = folders;
  }

  /** From now on. */
  allow(folders: readonly string[]): void {
    this.#folders = folders;
  }

  /** What is wrong with the name of a file; undefined where nothing is. Does not look whether it exists. */
  denial(file: string): string | undefined {
    const isAllowed = isAbsolute(file) && this.#folders.some((folder) => isWithin(folder, resolve(file)));
    return isAllowed ? undefined : DENIED;
  }
}

function isWithin(folder: string, file: string): boolean {
  const way = relative(folder, file);
  return way !== '' && way !== '..' && !way.startsWith('../') && !isAbsolute(way);
}
