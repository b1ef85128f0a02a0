/** Reads node ids as tags write them, namespace URIs resolved through the server's own table. */
import { coerceNodeId, type NodeId } from 'node-opcua-client';

const PARTS = /^(?:ns=(\d+);|nsu=([^;]+);)?([\s\S]+)$/;

/**
 * `namespaces` is the server's NamespaceArray, read anew in each session: indices move when a server is configured
 * again. `undefined` when the server has no such namespace. (OPC UA Part 6 §5.3.1.10)
 */
export function resolveNodeId(text: string, namespaces: readonly string[]): NodeId | undefined {
  const [, index = '0', uri, identifier = ''] = PARTS.exec(text) ?? [];
  const namespace = uri === undefined ? Number(index) : namespaces.indexOf(unescapeUri(uri));
  return namespace < 0 ? undefined : coerceNodeId(`ns=${namespace};${identifier}`);
}

function unescapeUri(uri: string): string {
  return uri.replace(/%3B/gi, ';').replace(/%25/g, '%');
}
