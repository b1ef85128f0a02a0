import { HonoRequest } from 'hono/request';
import { expect, test, vi } from 'vitest';
import { readJson } from '../../src/api/body.ts';

/** Turns of the loop that others had between the parsing of a body of so many numbers and its being handed on. */
async function turnsAfterParsing(numbers: number): Promise<number> {
  const body = JSON.stringify(Array.from({ length: numbers }, (_, at) => at));
  const raw = new Request('http://box/', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } });
  let turn = 0;
  let parsedIn = 0;
  let next = setImmediate(function count() {
    turn++;
    next = setImmediate(count);
  });
  const parse = JSON.parse;
  const spy = vi.spyOn(JSON, 'parse').mockImplementation((text) => {
    parsedIn = turn;
    return parse(text);
  });
  await readJson(new HonoRequest(raw), 1 << 20);
  spy.mockRestore();
  clearImmediate(next);
  return turn - parsedIn;
}

test('others have a turn between the steps of reading a large body, and a small one is read in one go', async () => {
  expect(await turnsAfterParsing(20_000)).toBeGreaterThan(0);
  expect(await turnsAfterParsing(10)).toBe(0);
});
