/** What a source of derived tags may say: expressions over tags that other sources give. */
import { z } from 'zod';
import type { Derivation, InputRef } from '../../core/derivation.ts';
import { idSchema, present, type TagOrigin, tagFields, tagNameSchema } from '../schema.ts';
import { compileExpression, namesIn } from './expression.ts';
import { ExpressionError, MAX_EXPRESSION_LENGTH } from './tokens.ts';

export const configSchema = z.strictObject({});

const inputSchema = z.strictObject({
  tag_name: tagNameSchema.describe('the tag that the name stands for'),
  asset_id: idSchema.optional().describe("the asset of that tag; the derived tag's own when absent"),
  data_source_id: idSchema.optional().describe('only values of this source; of every source when absent'),
});

export const tagSchema = z
  .strictObject({
    tag_name: tagFields.tag_name,
    asset_id: tagFields.asset_id,
    unit: tagFields.unit.describe('unit of the result'),
    deadband: tagFields.deadband,
    writable: z.literal(false).default(false).describe('a derived tag cannot be written'),
    expression: z
      .string()
      .min(1)
      .max(MAX_EXPRESSION_LENGTH)
      .describe(
        'numbers, names of tags of the same asset (in single quotes where they are no plain words) or of `inputs`; + - * / ^ mod, ' +
          'comparisons, and or not, in, if … then … else, and the functions abs ceil exp floor log log2 log10 max min pow round sqrt',
      ),
    inputs: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be a plain word'), inputSchema)
      .default({})
      .describe('what names of the expression stand for, where they are not tags of the same asset'),
  })
  .superRefine(({ expression, inputs }, context) => {
    try {
      const { names } = compileExpression(expression);
      for (const name of Object.keys(inputs)) {
        if (!names.includes(name)) context.addIssue({ code: 'custom', path: ['inputs', name], message: 'is not in the expression' });
      }
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      context.addIssue({ code: 'custom', path: ['expression'], message: error.message });
    }
  });

export type DerivedConfig = z.output<typeof configSchema>;
export type DerivedTag = z.output<typeof tagSchema>;

/** The tags behind the names of a valid tag's expression, in the order of the names. */
export function inputsOf(tag: DerivedTag, names: readonly string[], sourceId: string): readonly InputRef[] {
  const own = tag.asset_id ?? sourceId;
  return names.map((name) => {
    const input = Object.hasOwn(tag.inputs, name) ? tag.inputs[name] : undefined;
    if (!input) return { asset: own, tag: name };
    const source = input.data_source_id;
    return { asset: input.asset_id ?? own, tag: input.tag_name, ...(source !== undefined && { source }) };
  });
}

/** What the valid tags of a source are computed from. */
export function derivationsOf(tenant: string, source: string, tags: readonly DerivedTag[]): readonly Derivation[] {
  return tags.map((tag) => {
    const inputs = inputsOf(tag, namesIn(tag.expression), source);
    return { tenant, source, asset: tag.asset_id ?? source, tag: tag.tag_name, inputs };
  });
}

/** A derived source leads nowhere. */
export function endpoint(config: unknown): string {
  configSchema.parse(config);
  return 'derived';
}

/** Of a valid config and tag. */
export function describe(_config: unknown, tag: unknown): TagOrigin {
  const { expression, inputs, asset_id: own } = tag as DerivedTag;
  const places = namesIn(expression).map((name) => {
    const input: z.output<typeof inputSchema> = (Object.hasOwn(inputs, name) ? inputs[name] : undefined) ?? { tag_name: name };
    return [name, placeOf(input, own)];
  });
  return { address: present({ expression }), decode: Object.fromEntries(places) };
}

/** `tank/level`, `tank/level from plc`. */
function placeOf(
  { tag_name: tag, asset_id: asset, data_source_id: source }: z.output<typeof inputSchema>,
  own: string | undefined,
): string {
  const at = asset ?? own;
  return `${at === undefined ? tag : `${at}/${tag}`}${source === undefined ? '' : ` from ${source}`}`;
}
