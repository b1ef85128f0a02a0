/** Node ids as tags write them against the namespaces of a server. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveNodeId } from '../../../src/drivers/opcua/node-ids.ts';

const NAMESPACES = ['http://opcfoundation.org/UA/', 'urn:box', 'urn:maker;a%b'];

describe('node id', () => {
  it('of a namespace URI takes the index that the server has for it now', () => {
    expect(resolveNodeId('nsu=urn:maker%3Ba%25b;s=x', NAMESPACES)?.toString()).toBe('ns=2;s=x');
    expect(resolveNodeId('nsu=urn:box;i=7', NAMESPACES)?.toString()).toBe('ns=1;i=7');
  });

  it('of a namespace that the server does not have is none', () => {
    expect(resolveNodeId('nsu=urn:other;s=x', NAMESPACES)).toBeUndefined();
  });

  it('without a namespace is in namespace 0', () => {
    expect(resolveNodeId('i=2258', [])?.toString()).toBe('ns=0;i=2258');
  });

  it('of any text keeps the text', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 60 }), fc.nat(65_535), (text, index) => {
        const nodeId = resolveNodeId(`ns=${index};s=${text}`, []);
        expect([nodeId?.namespace, nodeId?.value]).toEqual([index, text]);
      }),
    );
  });
});
