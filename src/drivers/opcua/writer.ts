/** Writes one value to a node in the type that the node has, once, and reads back what came of it. (OPC UA Part 4 §5.11.4) */
import { AttributeIds, DataType, DataValue, type NodeId, type StatusCode, StatusCodes, VariantArrayType } from 'node-opcua-client';
import type { Clock } from '../../core/clock.ts';
import { type ErrorCode, GatewayError, isGatewayError } from '../../core/errors.ts';
import type { Scalar } from '../../core/tag.ts';
import { settled } from '../command.ts';
import { isWritableType, variantOf } from './coerce.ts';
import { hasStatus, linkFault } from './faults.ts';
import type { Link } from './link.ts';
import { resolveNodeId } from './node-ids.ts';
import type { OpcuaTag } from './options.ts';
import { missingStatus, scalarOf } from './values.ts';
import { within } from './within.ts';

/** One Write or Read; a server that forwards to a PLC answers in well under a second. */
const CALL_TIMEOUT_MS = 5_000;

/** What a node shows after a write. */
export interface WrittenValue {
  readonly value: DataValue;
  readonly confirmed: boolean;
}

export interface WriterOptions {
  readonly link: Link;
  readonly clock: Clock;
  readonly endpoint: string;
}

interface Target {
  readonly nodeId: NodeId;
  readonly dataType: DataType;
}

/** Refusals that say more than "no". (OPC UA Part 4 §7.39) */
const REFUSALS: readonly (readonly [StatusCode, ErrorCode])[] = [
  [StatusCodes.BadNotWritable, 'not_writable'],
  [StatusCodes.BadUserAccessDenied, 'not_writable'],
  [StatusCodes.BadWriteNotSupported, 'not_supported'],
  [StatusCodes.BadTimeout, 'timeout'],
  [StatusCodes.BadRequestTimeout, 'timeout'],
  [StatusCodes.BadNoCommunication, 'not_connected'],
  [StatusCodes.BadNotConnected, 'not_connected'],
];

/** Of one link: what it knows of the nodes ends with the session. */
export class Writer {
  readonly #options: WriterOptions;
  readonly #targets = new Map<OpcuaTag, Target>();

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /**
   * Rejects as `Driver.write` promises. An answer that got lost is no failure when the node shows the value all the same.
   */
  async write(tag: OpcuaTag, value: Scalar, signal: AbortSignal): Promise<WrittenValue> {
    const target = this.#targets.get(tag) ?? (await this.#look(tag, signal));
    const variant = variantOf(value, target.dataType, tag);
    const wanted = scalarOf(variant);
    const readBack = async (): Promise<WrittenValue> => {
      const shown = await this.#readBack(tag, target, signal);
      return { value: shown, confirmed: missingStatus(shown) === undefined && scalarOf(shown.value) === wanted };
    };
    try {
      await this.#send(tag, target, new DataValue({ value: variant }), signal);
    } catch (error) {
      if (signal.aborted || !isGatewayError(error, 'timeout')) throw error;
      const found = await readBack().catch(() => undefined); // the error that counts is the first
      if (found?.confirmed) return found;
      throw error;
    }
    return settled(readBack, { clock: this.#options.clock, signal });
  }

  async #send(tag: OpcuaTag, { nodeId }: Target, value: DataValue, signal: AbortSignal): Promise<void> {
    const { session } = this.#options.link;
    // value alone: most servers refuse timestamps and a status with it (BadWriteNotSupported)
    const status = await this.#call(session.write({ nodeId, attributeId: AttributeIds.Value, value }), `writing ${tag.node_id}`, signal);
    if (!status.isBad()) return;
    if (status.equals(StatusCodes.BadTypeMismatch)) this.#targets.delete(tag); // the node may have been made anew with another type
    const [, code = 'write_refused'] = REFUSALS.find(([one]) => status.equals(one)) ?? [];
    throw new GatewayError(code, `the server refused to write ${tag.node_id}: ${status.name} (${status.description})`);
  }

  /** The type of the node, once a session. */
  async #look(tag: OpcuaTag, signal: AbortSignal): Promise<Target> {
    const { session, server } = this.#options.link;
    const nodeId = resolveNodeId(tag.node_id, server.namespaces);
    if (!nodeId) throw new GatewayError('write_refused', `${tag.node_id} names a namespace that the server does not have`);
    const [present, type] = await this.#call(
      session.read([AttributeIds.Value, AttributeIds.DataType].map((attributeId) => ({ nodeId, attributeId }))),
      `reading the type of ${tag.node_id}`,
      signal,
    );
    if (!present || !type || type.statusCode.isBad()) {
      throw new GatewayError(
        'write_refused',
        `the server does not tell the type of ${tag.node_id}: ${type?.statusCode.name ?? 'no answer'}`,
      );
    }
    const held = present.value as DataValue['value'] | null;
    if (held && held.arrayType !== VariantArrayType.Scalar && held.dataType !== DataType.Null) {
      throw new GatewayError('not_supported', `${tag.node_id} holds an array; only single values can be written`);
    }
    const target = { nodeId, dataType: await this.#dataType(nodeId, type.value?.value as NodeId, held?.dataType, signal) };
    if (!isWritableType(target.dataType)) {
      throw new GatewayError('not_supported', `${tag.node_id} is of type ${DataType[target.dataType]}, which cannot be written`);
    }
    this.#targets.set(tag, target);
    return target;
  }

  /** The declared type where it is a basic one. Behind a subtype and an abstract one (Number) stands what the node holds, else the basic type above. */
  async #dataType(nodeId: NodeId, declared: NodeId, held: DataType | undefined, signal: AbortSignal): Promise<DataType> {
    if (declared.namespace === 0 && typeof declared.value === 'number' && isWritableType(declared.value)) return declared.value;
    if (held !== undefined && held !== DataType.Null) return held;
    return this.#call(this.#options.link.session.getBuiltInDataType(nodeId), `reading the type of ${nodeId.toString()}`, signal);
  }

  /** Rejects `timeout` where there is no answer in time, and `write_not_confirmed` where there is none for another reason. */
  async #readBack(tag: OpcuaTag, { nodeId }: Target, signal: AbortSignal): Promise<DataValue> {
    const reading = this.#options.link.session.read({ nodeId, attributeId: AttributeIds.Value }, 0);
    try {
      return await this.#call(reading, `reading back ${tag.node_id}`, signal);
    } catch (cause) {
      if (signal.aborted) throw cause;
      const code = isGatewayError(cause, 'timeout') ? 'timeout' : 'write_not_confirmed';
      throw new GatewayError(code, `${tag.node_id} was written, but cannot be read back`, { cause });
    }
  }

  /** Rejects `timeout`, or as a fault of the link. */
  async #call<T>(work: Promise<T>, what: string, signal: AbortSignal): Promise<T> {
    const { clock, endpoint } = this.#options;
    try {
      return await within(work, { clock, timeoutMs: CALL_TIMEOUT_MS, signal, what, late: 'timeout' });
    } catch (error) {
      if (signal.aborted || error instanceof GatewayError) throw error;
      if (!hasStatus(error, 'BadTimeout') && !hasStatus(error, 'BadRequestTimeout')) throw linkFault(error, endpoint);
      throw new GatewayError('timeout', `${endpoint}: ${what}: the server did not answer in time`, { cause: error });
    }
  }
}
