/** The router finds what is registered, by method and path, and nothing else. */
import { describe, expect, it } from 'vitest';
import { ApiRouter } from '../../src/api/router.ts';

function routerOf(...routes: readonly (readonly [method: string, path: string])[]): (method: string, path: string) => string[] {
  const router = new ApiRouter<string>();
  for (const [method, path] of routes) router.add(method, path, `${method} ${path}`);
  return (method, path) => {
    const [handlers, stash] = router.match(method, path);
    return handlers.map(([handler, params]) => {
      const values = Object.entries(params).map(([name, value]) => `${name}=${typeof value === 'number' ? stash?.[value] : value}`);
      return [handler, ...values.sort()].join(' ');
    });
  };
}

describe('ApiRouter', () => {
  const find = routerOf(
    ['GET', '/x'],
    ['GET', '/x/:id'],
    ['POST', '/x/:id/test'],
    ['POST', '/x/test'],
    ['GET', '/x/:id/y/:part'],
    ['GET', '/x/latest'],
  );

  it.each([
    ['GET', '/x', ['GET /x']],
    ['GET', '/x/a', ['GET /x/:id id=a']],
    ['GET', '/x/a/y/b', ['GET /x/:id/y/:part id=a part=b']],
    ['POST', '/x/test', ['POST /x/test']],
    ['POST', '/x/a/test', ['POST /x/:id/test id=a']],
    ['POST', '/x/test/test', ['POST /x/:id/test id=test']],
    ['GET', '/x/test', ['GET /x/:id id=test']],
    ['POST', '/x', []],
    ['DELETE', '/x', []],
    ['GET', '/', []],
    ['GET', '/x/a/y', []],
    ['GET', '/__proto__', []],
    ['constructor', '/x', []],
  ])('%s %s', (method, path, found) => {
    expect(find(method, path)).toEqual(found);
  });

  it('prefers a path without parameters, whichever was registered first', () => {
    expect(find('GET', '/x/latest')).toEqual(['GET /x/latest']);
  });
});
