/** A tag made ready for polling: its place on the wire, its decoder and what the door is told of it. */
import type { EmitTag } from '../../core/emit.ts';
import { GatewayError } from '../../core/errors.ts';
import type { WriteRule } from '../command.ts';
import type { DriverSpec } from '../driver.ts';
import { BIT_DECODER, type Decoder, registerDecoder } from './decode.ts';
import { COIL_ENCODER, type Encoder, registerEncoder } from './encode.ts';
import { type ModbusConfig, type ModbusTag, REGISTERS_OF } from './options.ts';
import { isBitTable, type Span } from './plan.ts';

export interface Point extends Span {
  readonly tagName: string;
  readonly assetId: string;
  readonly intervalMs: number;
  readonly decoder: Decoder;
  /** Of input registers and discrete inputs too, which are never writable. */
  readonly encoder: Encoder;
  readonly rule: WriteRule;
  readonly scale: number;
  readonly offset: number;
  /** False when scale and offset change nothing. */
  readonly scaled: boolean;
  readonly emitTag: EmitTag;
}

const TABLE_SIZE = 65_536; // Modbus Application Protocol V1.1b3 §4.3

/** One point a tag, in their order. Throws `config_invalid`, naming the tag, where an address lies outside the table. */
export function pointsOf({ sourceId, config, tags }: DriverSpec<ModbusConfig, ModbusTag>): readonly Point[] {
  return tags.map((tag) => pointOf(tag, sourceId, config));
}

function pointOf(tag: ModbusTag, sourceId: string, config: ModbusConfig): Point {
  const assetId = tag.asset_id ?? sourceId;
  const start = tag.address - config.address_base;
  const count = isBitTable(tag.register_type) ? 1 : REGISTERS_OF[tag.data_type ?? 'uint16'];
  if (start < 0 || start + count > TABLE_SIZE) {
    const reason = start < 0 ? 'address_base is 1, so the first address is 1' : 'the value reaches beyond the last register';
    throw new GatewayError(
      'config_invalid',
      `tag "${tag.tag_name}" of source "${sourceId}": address ${tag.address} does not exist: ${reason}`,
    );
  }
  const decoder = decoderOf(tag, config);
  const scale = tag.scale ?? 1;
  const offset = tag.offset ?? 0;
  const scaled = scale !== 1 || offset !== 0;
  return {
    table: tag.register_type,
    start,
    count,
    tagName: tag.tag_name,
    assetId,
    intervalMs: tag.polling_interval_ms ?? config.polling_interval_ms,
    decoder,
    encoder: encoderOf(tag, config),
    rule: tag,
    scale,
    offset,
    scaled,
    emitTag: {
      asset: assetId,
      tag: tag.tag_name,
      valueType: scaled && decoder.kind === 'integer' ? 'f64' : decoder.valueType, // nothing could keep it exact
      ...(tag.unit !== undefined && { unit: tag.unit }),
      ...(tag.scale !== undefined && { scale: tag.scale }),
      ...(tag.offset !== undefined && { offset: tag.offset }),
      ...(tag.deadband && { deadband: tag.deadband }),
    },
  };
}

function decoderOf(tag: ModbusTag, config: ModbusConfig): Decoder {
  if (isBitTable(tag.register_type)) return BIT_DECODER;
  return registerDecoder(tag.data_type ?? 'uint16', tag.byte_order ?? config.byte_order, tag.bit);
}

function encoderOf(tag: ModbusTag, config: ModbusConfig): Encoder {
  if (isBitTable(tag.register_type)) return COIL_ENCODER;
  return registerEncoder(tag.data_type ?? 'uint16', tag.byte_order ?? config.byte_order, tag, tag.bit);
}

/** Where the value of a point begins in the data bytes of a block, as its decoder counts: in bytes, or in bits. */
export function positionIn(block: Span, point: Span): number {
  return isBitTable(block.table) ? point.start - block.start : (point.start - block.start) * 2;
}
