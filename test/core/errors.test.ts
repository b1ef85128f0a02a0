/** Operating errors keep their code and their cause. */
import { describe, expect, it } from 'vitest';
import { asGatewayError, GatewayError, isGatewayError, isRefused, messageOf } from '../../src/core/errors.ts';

describe('GatewayError', () => {
  it('is an Error with a code and the cause it was given', () => {
    const cause = new Error('ECONNREFUSED');
    const error = new GatewayError('not_connected', 'no PLC', { cause });
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.code, error.message, error.cause]).toEqual(['GatewayError', 'not_connected', 'no PLC', cause]);
  });

  it('is known by its class and its code', () => {
    const error = new GatewayError('timeout', 'late');
    expect([isGatewayError(error), isGatewayError(error, 'timeout'), isGatewayError(error, 'protocol')]).toEqual([true, true, false]);
    expect(isGatewayError(Object.assign(new Error('x'), { code: 'timeout' }), 'timeout')).toBe(false);
    expect(isGatewayError(undefined)).toBe(false);
  });
});

describe('isRefused', () => {
  it('is true of a refused connection however deep it lies among the causes, and of no other fault', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    expect(isRefused(refused)).toBe(true);
    expect(isRefused(new GatewayError('not_connected', 'no PLC', { cause: new Error('the socket failed', { cause: refused }) }))).toBe(
      true,
    );
    expect(isRefused(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))).toBe(false);
    expect(isRefused(new GatewayError('not_connected', 'ECONNREFUSED'))).toBe(false);
    for (const other of [undefined, null, 'ECONNREFUSED', { code: 'ECONNREFUSED' }]) expect(isRefused(other)).toBe(false);
  });

  it('ends where an error is its own cause', () => {
    const error = new Error('round');
    error.cause = error;
    expect(isRefused(error)).toBe(false);
  });
});

describe('messageOf', () => {
  it('puts the messages of the causes behind, where they say something new', () => {
    const root = new Error('connect ECONNREFUSED 127.0.0.1:502');
    const middle = new Error('the socket failed', { cause: root });
    expect(messageOf(new Error('no PLC', { cause: middle }))).toBe('no PLC: the socket failed: connect ECONNREFUSED 127.0.0.1:502');
    expect(messageOf(new Error('no PLC: the socket failed', { cause: new Error('the socket failed') }))).toBe('no PLC: the socket failed');
  });

  it.each([
    ['text', 'text'],
    [42, '42'],
    [null, 'null'],
    [undefined, 'unknown error'],
    [new Error(''), 'unknown error'],
    [new Error('outer', { cause: 'inner' }), 'outer: inner'],
  ])('makes a message of whatever was thrown: %s', (thrown, expected) => {
    expect(messageOf(thrown)).toBe(expected);
  });

  it('ends for causes in a circle', () => {
    const error: Error & { cause?: unknown } = new Error('a');
    error.cause = new Error('b', { cause: error });
    expect(messageOf(error)).toBe('a: b');
  });

  it('says what every address answered when a connection was tried at several', () => {
    // What net.connect gives for a host name with an IPv6 and an IPv4 address: an AggregateError without a message.
    const error = new AggregateError([new Error('connect ECONNREFUSED ::1:1883'), new Error('connect ECONNREFUSED 127.0.0.1:1883')]);
    const expected = 'connect ECONNREFUSED ::1:1883, connect ECONNREFUSED 127.0.0.1:1883';
    expect(messageOf(error)).toBe(expected);
    expect(messageOf(new Error('no broker', { cause: error }))).toBe(`no broker: ${expected}`);
  });
});

describe('asGatewayError', () => {
  it('wraps what is foreign, keeps the cause and names the context', () => {
    const cause = new Error('SQLITE_FULL');
    const error = asGatewayError(cause, 'disk_full', 'writing samples');
    expect([error.code, error.message, error.cause]).toEqual(['disk_full', 'writing samples: SQLITE_FULL', cause]);
  });

  it('passes on what is ours as it is', () => {
    const error = new GatewayError('stopped', 'bye');
    expect(asGatewayError(error, 'store_failed', 'anything')).toBe(error);
  });
});
