/** Who goes next on a line that several sources share. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RequestQueue } from '../../../src/drivers/modbus/request-queue.ts';

const never = new AbortController().signal;

/** Work that takes until the event loop has come round, and tells when it began. */
function recorder(queue: RequestQueue) {
  const began: string[] = [];
  let underWay = 0;
  const take = (name: string, owner: object, more: { readonly urgent?: boolean; readonly signal?: AbortSignal } = {}) =>
    queue.take(
      async () => {
        expect(++underWay).toBe(1);
        began.push(name);
        await new Promise((resolve) => setImmediate(resolve));
        underWay--;
        return name;
      },
      { owner, signal: never, ...more },
    );
  return { began, take };
}

describe('the queue of requests', () => {
  const a = {};
  const b = {};

  it('go round the owners, however many requests one of them has waiting', async () => {
    const { began, take } = recorder(new RequestQueue());
    await Promise.all([take('a1', a), take('a2', a), take('a3', a), take('a4', a), take('b1', b), take('b2', b)]);
    expect(began).toEqual(['a1', 'a2', 'b1', 'a3', 'b2', 'a4']);
  });

  it('let a write pass all reads, whoever waits', async () => {
    const { began, take } = recorder(new RequestQueue());
    await Promise.all([take('a1', a), take('a2', a), take('b1', b), take('write', b, { urgent: true })]);
    expect(began).toEqual(['a1', 'write', 'a2', 'b1']);
  });

  it('go on after work that failed', async () => {
    const queue = new RequestQueue();
    const { take } = recorder(queue);
    const failed = queue.take(() => Promise.reject(new Error('no')), { owner: a, signal: never });
    const next = take('next', b);
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('next');
  });

  it('are given up at once by who is called off or leaves, and its work never begins', async () => {
    const queue = new RequestQueue();
    const { began, take } = recorder(queue);
    const stop = new AbortController();
    const first = take('a1', a);
    const ended = Promise.allSettled([
      take('b1', b, { signal: stop.signal }),
      take('b2', b, { urgent: true, signal: stop.signal }),
      take('a2', a),
      take('a3', a, { urgent: true }),
    ]);
    stop.abort(new Error('enough'));
    queue.leave(a, new Error('left'));
    expect((await ended).map((one) => one.status === 'rejected' && one.reason.message)).toEqual(['enough', 'enough', 'left', 'left']);
    expect(await first).toBe('a1');
    expect(began).toEqual(['a1']);
    await expect(take('late', b, { signal: stop.signal })).rejects.toThrow('enough');
    expect(await take('after', b)).toBe('after');
  });

  it('serve everyone exactly once, one at a time, and no owner twice while another waits', async () => {
    const request = fc.record({ owner: fc.nat(3), urgent: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 20 }), async (requests) => {
        const owners = [{}, {}, {}, {}];
        const { began, take } = recorder(new RequestQueue());
        const names = requests.map(({ owner, urgent }, index) => `${urgent ? 'w' : 'r'}${owner}.${index}`);
        await Promise.all(requests.map(({ owner, urgent }, index) => take(names[index] ?? '', owners[owner] ?? {}, { urgent })));
        expect(began.toSorted()).toEqual(names.toSorted());
        const reads = began.slice(1).filter((name) => name.startsWith('r')); // the first found the line free
        const left = new Map<string, number>();
        for (const name of reads) left.set(name[1] ?? '', (left.get(name[1] ?? '') ?? 0) + 1);
        for (const [index, name] of reads.entries()) {
          const owner = name[1] ?? '';
          if (index > 0 && reads[index - 1]?.[1] === owner) expect([...left].filter(([, count]) => count > 0)).toHaveLength(1);
          left.set(owner, (left.get(owner) ?? 0) - 1);
        }
      }),
    );
  });
});
