/** Derived tags as a source like any other: it follows other sources' readings instead of a device, and sends what it makes of them. */
import { aborted } from '../../core/clock.ts';
import type { Derivation } from '../../core/derivation.ts';
import type { Emit } from '../../core/emit.ts';
import { GatewayError } from '../../core/errors.ts';
import { BAD_NODE_ID_UNKNOWN } from '../../core/status.ts';
import type { SeriesId } from '../../core/tag.ts';
import { type Driver, type DriverContext, type DriverSpec, type InputListener, type Reading, type TagRef, tagKey } from '../driver.ts';
import { keptTags } from '../tag-change.ts';
import { Calculation, type Result } from './calculation.ts';
import { compileExpression } from './expression.ts';
import { type DerivedConfig, type DerivedTag, inputsOf } from './options.ts';

interface Following {
  readonly emit: Emit;
  readonly listener: Listener;
  end(): void;
}

interface Output extends TagRef {
  readonly tag: DerivedTag;
  readonly calculation: Calculation;
  readonly derivation: Omit<Derivation, 'tenant' | 'source'>;
  /** Why the expression does not fit its inputs now. */
  fault: string | undefined;
}

export function createDriver({ sourceId, tags }: DriverSpec<DerivedConfig, DerivedTag>, context: DriverContext): Driver {
  const { inputs } = context;
  if (!inputs) throw new GatewayError('config_invalid', 'derived tags need readings to follow');
  let outputs = tags.map((tag) => outputOf(tag, sourceId));
  let following: Following | undefined;
  const derivations = () => outputs.map(({ derivation }) => derivation);
  const follow = (emit: Emit): Following => {
    const listener = new Listener(outputs, emit, context);
    return { emit, listener, end: inputs.follow(derivations(), listener) };
  };
  return {
    connect: async (signal) => signal.throwIfAborted(),
    async run(emit, signal) {
      following = follow(emit);
      try {
        await aborted(signal);
      } finally {
        following?.end();
        following = undefined;
      }
    },
    /** All inputs are heard anew; what comes of tags that are as they were has been said already. */
    async retag(given, leave) {
      const before = new Set(outputs.map(({ tag }) => tag));
      const after = keptTags([...before], given as readonly DerivedTag[]).map((tag) => outputOf(tag, sourceId));
      const staying = new Set(after.filter(({ tag }) => before.has(tag)).map(tagKey));
      if (!following) throw new GatewayError('not_connected', 'the source does not run');
      const { emit, listener, end } = following;
      listener.settled();
      following = undefined;
      end();
      leave((ref) => staying.has(tagKey(ref)));
      outputs = after;
      context.report({ tagsFailed: 0 });
      following = follow(emit);
    },
    async readNow(refs) {
      if (!following) inputs.present(derivations(), { hear: (...heard) => hear(outputs, ...heard) }); // a trial, which is never run
      const byTag = new Map(outputs.map((output) => [tagKey(output), output]));
      return refs.map((ref) => readingOf(ref, byTag.get(tagKey(ref))));
    },
    close: async () => {},
  };
}

function outputOf(tag: DerivedTag, sourceId: string): Output {
  const expression = compileExpression(tag.expression);
  const assetId = tag.asset_id ?? sourceId;
  const derivation = { asset: assetId, tag: tag.tag_name, inputs: inputsOf(tag, expression.names, sourceId) };
  return { tag, assetId, tagName: tag.tag_name, derivation, calculation: new Calculation(expression), fault: undefined };
}

function hear(outputs: readonly Output[], ...[place, timeMs, value, status]: Parameters<InputListener['hear']>): void {
  outputs[place.output]?.calculation.hear(place.input, timeMs, value, status);
}

/** It is as new as its inputs: there is no device to ask. */
function readingOf({ assetId, tagName }: TagRef, output: Output | undefined): Reading {
  const { value = null, status = BAD_NODE_ID_UNKNOWN, timeMs } = output?.calculation.present() ?? {};
  return { assetId, tagName, value, status, timeMs };
}

/** Computes what is due at the end of each round, and an instant that is over at once. */
class Listener implements InputListener {
  readonly #outputs: readonly Output[];
  readonly #emit: Emit;
  readonly #report: DriverContext['report'];
  readonly #series = new Map<Output, SeriesId>();
  readonly #due = new Set<Output>();
  #failed = 0;

  constructor(outputs: readonly Output[], emit: Emit, { report }: Pick<DriverContext, 'report'>) {
    this.#outputs = outputs;
    this.#emit = emit;
    this.#report = report;
  }

  hear(...[place, timeMs, value, status]: Parameters<InputListener['hear']>): void {
    const output = this.#outputs[place.output] as Output;
    if (output.calculation.completes(timeMs)) this.#send(output);
    output.calculation.hear(place.input, timeMs, value, status);
    this.#due.add(output);
  }

  settled(): void {
    if (this.#due.size === 0) return;
    for (const output of this.#due) this.#send(output);
    this.#due.clear();
    this.#tell();
  }

  #send(output: Output): void {
    const result = output.calculation.take();
    if (!result) return;
    output.fault = result.fault;
    const series = this.#series.get(output) ?? this.#open(output);
    if (series !== undefined) push(this.#emit, series, result);
  }

  #open({ tag, assetId }: Output): SeriesId | undefined {
    return this.#emit.series({
      asset: assetId,
      tag: tag.tag_name,
      ...(tag.unit !== undefined && { unit: tag.unit }),
      ...(tag.deadband && { deadband: tag.deadband }),
    });
  }

  /** Says how many expressions do not fit their inputs, when that has changed. */
  #tell(): void {
    const failed = this.#outputs.filter(({ fault }) => fault !== undefined);
    if (failed.length === this.#failed) return;
    this.#failed = failed.length;
    const [first] = failed;
    this.#report({ tagsFailed: failed.length, ...(first && { reason: `${first.assetId}/${first.tagName}: ${first.fault}` }) });
  }
}

function push(emit: Emit, series: SeriesId, { timeMs, value, status }: Result): void {
  if (value === null) emit.missing(series, timeMs, status);
  else if (typeof value === 'number') emit.number(series, timeMs, value, status);
  else if (typeof value === 'boolean') emit.boolean(series, timeMs, value, status);
  else emit.text(series, timeMs, value, status);
}
