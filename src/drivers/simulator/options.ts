/** What a simulated source and its tags may say. */
import { z } from 'zod';
import { MAX_TEXT_LENGTH } from '../../core/tag.ts';
import { present, type TagOrigin, tagFields } from '../schema.ts';

export const WAVEFORMS = ['sine', 'ramp', 'square', 'random_walk', 'counter', 'constant', 'text'] as const;

export const configSchema = z.strictObject({
  polling_interval_ms: z.int().min(100).max(3_600_000).default(1_000).describe('a reading of each tag every so often'),
  seed: z.int().min(0).max(0xffff_ffff).default(1).describe('the same seed gives the same values at the same times'),
});

export const tagSchema = z
  .strictObject({
    ...tagFields,
    writable: tagFields.writable.describe('true allows actuators to write this tag; it then stays at what was written'),
    waveform: z
      .enum(WAVEFORMS)
      .default('sine')
      .describe(
        'sine, ramp and random_walk lie in mean ± amplitude; square jumps between its two ends; ' +
          'counter grows from mean by amplitude each period; constant is mean; text takes the next of texts each period',
      ),
    amplitude: z.number().min(-1e12).max(1e12).default(1).describe('height of the wave above its mean'),
    mean: z.number().min(-1e12).max(1e12).default(0).describe('middle of the wave'),
    period_ms: z.int().min(100).max(86_400_000).default(60_000).describe('one round of the waveform'),
    texts: z.array(z.string().max(MAX_TEXT_LENGTH)).min(1).max(100).optional().describe('values of waveform text'),
  })
  .superRefine((tag, context) => {
    if (tag.waveform === 'text' && tag.texts === undefined)
      context.addIssue({ code: 'custom', path: ['texts'], message: 'is needed by waveform: text' });
    if (tag.waveform !== 'text' && tag.texts !== undefined)
      context.addIssue({ code: 'custom', path: ['texts'], message: 'needs waveform: text' });
  });

export type SimulatorConfig = z.output<typeof configSchema>;
export type SimulatorTag = z.output<typeof tagSchema>;

/** A simulated source leads nowhere. */
export function endpoint(config: unknown): string {
  configSchema.parse(config);
  return 'simulator';
}

/** Of a valid config and tag. */
export function describe(_config: unknown, tag: unknown): TagOrigin {
  const { waveform, mean, amplitude, period_ms, scale, offset } = tag as SimulatorTag;
  return { address: { waveform, mean, amplitude, period_ms }, decode: present({ scale, offset }) };
}
