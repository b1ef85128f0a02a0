/** A battery profile as data: which JSON path of a pack's message becomes which tag. */
import { z } from 'zod';
import { jsonPathSchema } from '../mqtt/options.ts';
import { idSchema, tagNameSchema, unitSchema } from '../schema.ts';

/** The most cells or sensors that one line may stand for. */
const MAX_REPEAT = 64;

const fieldSchema = z
  .strictObject({
    tag: tagNameSchema.describe('canonical name of the tag, as in voltage_v'),
    path: z.string().min(1).describe('JSON path (RFC 9535) of the value; a message without it brings no reading'),
    repeat: z
      .int()
      .min(1)
      .max(MAX_REPEAT)
      .optional()
      .describe('makes this many tags of one line: {number} counts from 1 and {index} from 0, in "tag" and "path"'),
    data_type: z.enum(['number', 'boolean', 'string']).default('number'),
    unit: unitSchema.optional(),
    scale: z.number().optional().describe('value = raw × scale + offset; -1 turns a current that counts discharge as positive'),
    offset: z.number().optional(),
    min: z.number().optional().describe('smallest valid value, after scaling; what is below is bad'),
    max: z.number().optional().describe('largest valid value, after scaling; what is above is bad'),
  })
  .superRefine((field, context) => {
    const first = fieldLine(field.path, 1);
    for (const issue of jsonPathSchema.safeParse(first).error?.issues ?? [])
      context.addIssue({ code: 'custom', path: ['path'], message: issue.message });
    if (field.repeat === undefined) return;
    for (const key of ['tag', 'path'] as const) {
      if (fieldLine(field[key], 1) === field[key])
        context.addIssue({ code: 'custom', path: [key], message: 'must hold {number} or {index} to be repeated' });
    }
  });

export const profileSchema = z.strictObject({
  name: idSchema,
  description: z.string().optional(),
  transport: z.literal('mqtt'),
  timestamp_path: jsonPathSchema.optional().describe("JSON path of the message's time; the time of arrival where a message has none"),
  fields: z.array(fieldSchema).min(1),
});

export type BmsProfile = z.output<typeof profileSchema>;

/** A `tag` or `path` of a repeated line, filled in for the `number`-th repetition (from 1). */
export function fieldLine(template: string, number: number): string {
  return template.replaceAll('{number}', String(number)).replaceAll('{index}', String(number - 1));
}
