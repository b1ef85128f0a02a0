/** The nodes of a parsed YAML document: what is wrong between them, and where each value and key stands in the text. */
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type Node, type Pair, visit, type YAMLMap } from 'yaml';
import type { Path } from './fault.ts';

export interface Complaint {
  /** Into the text, in UTF-16 code units. */
  readonly offset: number;
  readonly message: string;
}

/** Offsets into the text. */
export interface Place {
  readonly value: number;
  /** Of an item of a list: the item itself. */
  readonly key: number;
}

export interface NodeIndex {
  /** Duplicate keys and aliases without an anchor. */
  readonly complaints: readonly Complaint[];
  /** Where the value at `path` and its key start; when it is missing, its nearest parent. */
  locate(path: Path): Place;
}

/** Walks the document once. */
export function indexNodes(document: Document.Parsed): NodeIndex {
  const complaints: Complaint[] = [];
  const anchors = new Map<string, Node>();
  const targets = new Map<Node, Node>();
  visit(document, {
    Node(_, node) {
      if (isAlias(node)) {
        const target = anchors.get(node.source);
        if (target) targets.set(node, target);
        else complaints.push({ offset: offsetOf(node), message: `there is no anchor &${node.source} before this alias` });
        return;
      }
      if (node.anchor !== undefined) anchors.set(node.anchor, node);
      if (isMap(node)) findDuplicateKeys(node, complaints);
    },
  });
  const pairs = new Map<YAMLMap, ReadonlyMap<string, Pair>>();
  const childOf = (parent: unknown, part: string | number): { readonly key: unknown; readonly value: unknown } | undefined => {
    if (isMap(parent)) return pairOf(parent, String(part), pairs);
    if (!isSeq(parent)) return undefined;
    const item = parent.items[Number(part)];
    return { key: item, value: item };
  };
  return {
    complaints,
    locate(path) {
      let place: Place = { value: offsetOf(document.contents), key: offsetOf(document.contents) };
      let node: unknown = document.contents;
      for (const part of path) {
        const parent = isNode(node) ? (targets.get(node) ?? node) : undefined;
        const child = childOf(parent, part);
        if (!child?.key) return { value: place.value, key: place.value };
        place = { key: offsetOf(child.key), value: offsetOf(child.value ?? child.key) };
        node = child.value;
      }
      return place;
    },
  };
}

function findDuplicateKeys(map: YAMLMap, complaints: Complaint[]): void {
  const seen = new Set<string>();
  for (const { key } of map.items) {
    const name = keyName(key);
    if (seen.has(name)) complaints.push({ offset: offsetOf(key), message: `duplicate key "${name}"` });
    seen.add(name);
  }
}

/** Big mappings are asked for each of their faults: the pairs are found by name from the second time on. */
function pairOf(map: YAMLMap, name: string, known: Map<YAMLMap, ReadonlyMap<string, Pair>>): Pair | undefined {
  let pairs = known.get(map);
  if (!pairs) {
    pairs = new Map(map.items.map((pair) => [keyName(pair.key), pair]));
    known.set(map, pairs);
  }
  return pairs.get(name);
}

/** The parser has refused keys that are not texts. */
function keyName(key: unknown): string {
  return isScalar(key) ? String(key.value) : '';
}

function offsetOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}
