/** A tag of a simulated source: its wave, or what was written to it. */
import type { Emit, EmitTag } from '../../core/emit.ts';
import { GOOD } from '../../core/status.ts';
import type { SeriesId } from '../../core/tag.ts';
import type { UnixMs } from '../../core/time.ts';
import type { TagRef } from '../driver.ts';
import type { SimulatorConfig, SimulatorTag } from './options.ts';
import { tagSeed, valueAt, type Wave } from './waveform.ts';

/** What a poll reads stands first and close together: of thousands of tags, fetching each from memory is most of what its reading costs. */
export class SimulatedTag implements TagRef, Wave {
  /** Set while it is polled; undefined where the box takes no more series. */
  series: SeriesId | undefined;
  /** Before scaling: from then on the tag stays at it. */
  written: number | string | undefined;
  readonly waveform: Wave['waveform'];
  readonly period_ms: number;
  readonly mean: number;
  readonly amplitude: number;
  readonly texts: Wave['texts'];
  readonly seed: number;
  readonly intervalMs: number;
  readonly assetId: string;
  readonly tagName: string;
  readonly tag: SimulatorTag;

  constructor(tag: SimulatorTag, sourceId: string, config: SimulatorConfig) {
    this.waveform = tag.waveform;
    this.period_ms = tag.period_ms;
    this.mean = tag.mean;
    this.amplitude = tag.amplitude;
    this.texts = tag.texts;
    this.assetId = tag.asset_id ?? sourceId;
    this.tagName = tag.tag_name;
    this.seed = tagSeed(config.seed, `${this.assetId}/${this.tagName}`);
    this.intervalMs = tag.polling_interval_ms ?? config.polling_interval_ms;
    this.tag = tag;
  }

  /** Before scaling. */
  rawAt(timeMs: UnixMs): number | string {
    return this.written ?? valueAt(this, this.seed, timeMs);
  }

  emit(emit: Emit, timeMs: UnixMs): void {
    if (this.series === undefined) return;
    const raw = this.rawAt(timeMs);
    if (typeof raw === 'string') emit.text(this.series, timeMs, raw, GOOD);
    else emit.number(this.series, timeMs, raw, GOOD);
  }

  get emitTag(): EmitTag {
    const { tag, assetId } = this;
    return {
      asset: assetId,
      tag: tag.tag_name,
      valueType: tag.waveform === 'text' ? 'string' : 'f64',
      ...(tag.unit !== undefined && { unit: tag.unit }),
      ...(tag.scale !== undefined && { scale: tag.scale }),
      ...(tag.offset !== undefined && { offset: tag.offset }),
      ...(tag.deadband && { deadband: tag.deadband }),
    };
  }
}
