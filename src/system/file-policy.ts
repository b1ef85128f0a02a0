/** Which files and devices sources that were made over the API may name: who may make a source must not learn what else lies on the box, nor use its keys. */
import { isAbsolute, relative, resolve } from 'node:path';

/** One text for all files, so that answers do not tell what is where. */
const DENIED = 'is not in a folder that sources made over the API may name files of; see security.files.allow';
const DEVICE_DENIED = 'is not a serial device that sources made over the API may use; see security.serial.allow';

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

/** The same for serial devices: who may make a source must not be able to open just any device. */
export class DevicePolicy {
  #allowed: readonly string[];

  /** Absolute names of devices, and of folders of them; what links in these lead to is the operator's word too. */
  constructor(allowed: readonly string[]) {
    this.#allowed = allowed;
  }

  /** From now on. */
  allow(allowed: readonly string[]): void {
    this.#allowed = allowed;
  }

  /** As that of files. */
  denial(path: string): string | undefined {
    const name = resolve(path);
    const isAllowed = isAbsolute(path) && this.#allowed.some((each) => resolve(each) === name || isWithin(each, name));
    return isAllowed ? undefined : DEVICE_DENIED;
  }
}

function isWithin(folder: string, file: string): boolean {
  const way = relative(folder, file);
  return way !== '' && way !== '..' && !way.startsWith('../') && !isAbsolute(way);
}
