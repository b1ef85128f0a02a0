/** Folders of their own for tests that go to disk, and what a child process writes, line by line. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';

/** Gives a new folder at each call; all are removed after each test. */
export function useTempDirs(): () => string {
  const dirs: string[] = [];
  afterEach(() => {
    for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
  });
  return () => {
    const dir = mkdtempSync(join(tmpdir(), 'store-'));
    dirs.push(dir);
    return dir;
  };
}

/** The lines that a child has written so far, and a wait for one that passes. */
export interface ChildLines {
  readonly lines: readonly string[];
  /** Resolves with the first line that passes; rejects when the child ends before. */
  find(passes: (line: string) => boolean): Promise<string>;
  /** Resolves with the exit code, or the signal, when all its output has been read. */
  readonly closed: Promise<number | NodeJS.Signals | null>;
}

export function linesOf(child: ChildProcess): ChildLines {
  const lines: string[] = [];
  const waiting: { passes: (line: string) => boolean; resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      lines.push(line);
      for (const { passes, resolve } of waiting) if (passes(line)) resolve(line);
    }
  });
  const closed = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.on('close', (code, signal) => {
      for (const { reject } of waiting) reject(new Error(`the child ended with ${code ?? signal} after: ${lines.slice(-3).join(' | ')}`));
      resolve(code ?? signal);
    });
  });
  const find = (passes: (line: string) => boolean) => {
    const known = lines.find(passes);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise<string>((resolve, reject) => waiting.push({ passes, resolve, reject }));
  };
  return { lines, find, closed };
}
