/** Compares an answer with one that a document prints. */
import { expect } from 'vitest';

/** Every printed field must be there with its printed value; more fields and more elements may be. */
export function expectPrinted(actual: unknown, printed: unknown, path = 'body'): void {
  if (typeof printed !== 'object' || printed === null) {
    expect(actual, path).toEqual(printed);
    return;
  }
  if (Array.isArray(printed)) expect(Array.isArray(actual), `${path} must be a list`).toBe(true);
  else expect(typeof actual === 'object' && actual !== null, `${path} must be an object`).toBe(true);
  for (const [key, value] of Object.entries(printed)) {
    expectPrinted((actual as Record<string, unknown>)[key], value, `${path}.${key}`);
  }
}
