/** Schemas of dashboards. A widget is an open object: a page may keep in it what it likes. */
import { z } from 'zod';
import { toIso } from '../../core/time.ts';
import type { Dashboard, DashboardDraft, DashboardHead, Widget } from '../../dashboard/dashboard.ts';
import { idSchema } from '../../drivers/schema.ts';
import { timeSchema } from '../schema.ts';

const MAX_WIDGETS = 200;
const DEFAULT_COLUMNS = 24;
const MAX_COLUMNS = 48;
const MAX_ROWS = 100_000; // a page a thousand screens long; beyond it there is a mistake

const place = (min: number, max: number) => z.int(`must be a whole number from ${min} to ${max}`).min(min).max(max);
const ignored = z.unknown().optional().describe('ignored');
const openObject = z.record(z.string(), z.unknown());

const widgetSchema = z.looseObject({
  id: idSchema.optional().describe('made when absent; its own within the dashboard'),
  type: z
    .string()
    .min(1, 'must not be empty')
    .max(64, 'must be at most 64 characters')
    .describe('line_chart, bar_chart, gauge, stat, status, table, alert_list, text, or what your page knows'),
  position: z
    .strictObject({ x: place(0, MAX_COLUMNS - 1), y: place(0, MAX_ROWS), w: place(1, MAX_COLUMNS), h: place(1, MAX_ROWS) })
    .optional()
    .describe('in columns and rows, from the upper left'),
  data: openObject.optional().describe('what it shows'),
  options: openObject.optional().describe('how it shows it'),
});

const layoutSchema = z.strictObject({
  columns: place(1, MAX_COLUMNS).default(DEFAULT_COLUMNS),
  widgets: z.array(widgetSchema).max(MAX_WIDGETS, `must hold at most ${MAX_WIDGETS} widgets`).default([]),
});

const draftFields = {
  name: z.string().min(1, 'must not be empty').max(256, 'must be at most 256 characters'),
  description: z.string().max(2_048, 'must be at most 2048 characters').nullable().optional(),
  layout: layoutSchema
    .superRefine(({ columns, widgets }, context) => {
      const ids = new Set<string>();
      for (const [index, { id, position }] of widgets.entries()) {
        if (id !== undefined && ids.has(id)) {
          context.addIssue({ code: 'custom', path: ['widgets', index, 'id'], message: 'is that of another widget' });
        }
        if (id !== undefined) ids.add(id);
        if (position && position.x + position.w > columns) {
          const message = `lies beyond the ${columns} columns: x + w is ${position.x + position.w}`;
          context.addIssue({ code: 'custom', path: ['widgets', index, 'position'], message });
        }
      }
    })
    .prefault({}),
};

export const newDashboardSchema = z.strictObject(draftFields);

/** With what a GET shows and nobody may set, so that an edited answer can be sent back. */
export const dashboardPutSchema = z.strictObject({
  ...draftFields,
  id: z.string().optional().describe('must be that of the path'),
  created_at: ignored,
  updated_at: ignored,
});

/**
 * The draft that a valid body stands for, and `body` as it came: a member named `__proto__`, which the schema leaves out, is kept in
 * a widget like any other.
 */
export function toDraft(valid: z.output<typeof newDashboardSchema>, body: unknown): DashboardDraft {
  const { name, description, layout } = valid;
  const sent = (body as { readonly layout?: { readonly widgets?: readonly Widget[] } }).layout?.widgets ?? [];
  return { name, ...(description != null && { description }), layout: { columns: layout.columns, widgets: sent } };
}

const headFields = {
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  created_at: timeSchema,
  updated_at: timeSchema,
};

export const dashboardHeadSchema = z.object({ ...headFields, widget_count: z.int() }).meta({ id: 'DashboardSummary' });

export const dashboardSchema = z
  .object({ ...headFields, layout: z.object({ columns: z.int(), widgets: z.array(z.looseObject({ id: z.string(), type: z.string() })) }) })
  .meta({ id: 'Dashboard' });

export function renderHead(head: DashboardHead) {
  return { ...named(head), widget_count: head.widgetCount, ...times(head) };
}

export function renderDashboard(dashboard: Dashboard) {
  return { ...named(dashboard), layout: dashboard.layout, ...times(dashboard) };
}

function named({ id, name, description }: DashboardHead) {
  return { id, name, description: description ?? null };
}

function times({ createdMs, updatedMs }: DashboardHead) {
  return { created_at: toIso(createdMs), updated_at: toIso(updatedMs) };
}

const WIDGET = {
  id: 'widget-3vq7k2mwd5xa',
  type: 'line_chart',
  position: { x: 0, y: 0, w: 12, h: 6 },
  data: { asset_id: 'Pump_001', tags: ['temperature'] },
  options: { title: 'Temperature' },
};

export const DRAFT_EXAMPLE = {
  name: 'Pump Monitoring',
  description: 'Real-time pump health dashboard',
  layout: { columns: 24, widgets: [WIDGET] },
};

const AT = { created_at: '2026-01-06T10:00:00Z', updated_at: '2026-01-06T10:00:00Z' };

export const DASHBOARD_EXAMPLE = { id: 'dash-k5xw2mfa7qzc', ...DRAFT_EXAMPLE, ...AT };

export const HEAD_EXAMPLE = {
  id: 'dash-k5xw2mfa7qzc',
  name: 'Pump Monitoring',
  description: 'Real-time pump health dashboard',
  widget_count: 1,
  ...AT,
};
