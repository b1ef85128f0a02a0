/** Tags that are computed from other tags: who owns them, and that none is computed from itself, however long the way round. */

/** A tag that values are taken from: all series of the name, or those of one source. */
export interface InputRef {
  readonly asset: string;
  readonly tag: string;
  readonly source?: string;
}

/** A computed tag. */
export interface Derivation {
  readonly tenant: string;
  readonly source: string;
  readonly asset: string;
  readonly tag: string;
  readonly inputs: readonly InputRef[];
}

export interface DerivationFault {
  /** In the list that was given. */
  readonly index: number;
  readonly message: string;
}

/** Each tag that has another owner already, and of each circle the tag that comes last: without it there would be none. */
export function derivationFaults(derivations: readonly Derivation[]): readonly DerivationFault[] {
  const owners = new Map<string, number>();
  const faults: DerivationFault[] = [];
  for (const [index, derivation] of derivations.entries()) {
    const key = keyOf(derivation.tenant, derivation);
    const owner = owners.get(key);
    if (owner === undefined) owners.set(key, index);
    else faults.push({ index, message: `${shown(derivation)} is computed by the source "${derivations[owner]?.source}" already` });
  }
  return [...faults, ...circles(derivations, owners)];
}

/** Depth first, without recursion: a chain may be as long as there are tags. */
function circles(derivations: readonly Derivation[], owners: ReadonlyMap<string, number>): DerivationFault[] {
  const faults: DerivationFault[] = [];
  const done = new Set<number>();
  for (const start of derivations.keys()) {
    const path: { readonly index: number; readonly next: Iterator<number> }[] = [];
    const onPath = new Set<number>();
    const enter = (index: number) => {
      path.push({ index, next: inputsOf(index, derivations, owners) });
      onPath.add(index);
    };
    if (!done.has(start)) enter(start);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const { done: over, value } = top.next.next();
      if (over) {
        path.pop();
        onPath.delete(top.index);
        done.add(top.index);
      } else if (onPath.has(value)) {
        faults.push(
          circleFault(
            path.slice(path.findIndex(({ index }) => index === value)).map(({ index }) => index),
            derivations,
          ),
        );
      } else if (!done.has(value)) enter(value);
    }
  }
  return faults;
}

/** `circle`: each is computed from the next, and the last from the first. */
function circleFault(circle: readonly number[], derivations: readonly Derivation[]): DerivationFault {
  const index = circle.reduce((last, each) => Math.max(last, each));
  const at = circle.indexOf(index);
  const round = [...circle.slice(at), ...circle.slice(0, at), index];
  return { index, message: `is computed from itself: ${round.map((each) => shown(derivations[each] as Derivation)).join(' from ')}` };
}

function* inputsOf(index: number, derivations: readonly Derivation[], owners: ReadonlyMap<string, number>): Generator<number, undefined> {
  const { tenant, inputs } = derivations[index] as Derivation;
  for (const input of inputs) {
    const owner = owners.get(keyOf(tenant, input));
    if (owner !== undefined && (input.source === undefined || input.source === derivations[owner]?.source)) yield owner;
  }
  return undefined;
}

function keyOf(tenant: string, { asset, tag }: InputRef): string {
  return `${tenant}\0${asset}\0${tag}`;
}

function shown({ asset, tag }: InputRef): string {
  return `${asset}/${tag}`;
}
