/** What a dashboard is: a name, and widgets on a grid. What a widget shows is its page's own affair; the box keeps it as it came. */
import { randomId } from '../core/short-id.ts';
import type { UnixMs } from '../core/time.ts';

/** Open: `id` alone is the box's. */
export type Widget = Readonly<Record<string, unknown>>;

export interface Layout {
  readonly columns: number;
  readonly widgets: readonly Widget[];
}

/** What somebody wants a dashboard to be. Widgets without an id get one when it is saved. */
export interface DashboardDraft {
  readonly name: string;
  readonly description?: string;
  readonly layout: Layout;
}

export interface DashboardKey {
  readonly tenant: string;
  readonly id: string;
}

/** A dashboard without its widgets: what a list shows. */
export interface DashboardHead extends DashboardKey {
  readonly name: string;
  readonly description?: string;
  readonly widgetCount: number;
  /** 1 at creation, one more with each change. */
  readonly revision: number;
  readonly createdMs: UnixMs;
  readonly updatedMs: UnixMs;
}

export interface Dashboard extends DashboardHead {
  readonly layout: Layout;
}

/** The widgets, each with an id of its own. */
export function withIds(widgets: readonly Widget[]): readonly Widget[] {
  return widgets.map((widget) => (widget['id'] === undefined ? withId(widget) : widget));
}

/** As many alike, of which none has the id of another's. */
export function withNewIds(widgets: readonly Widget[]): readonly Widget[] {
  return widgets.map(withId);
}

/** `fromEntries`, so that a member named `__proto__` stays a member like any other. */
function withId(widget: Widget): Widget {
  const rest = Object.entries(widget).filter(([name]) => name !== 'id');
  return Object.fromEntries([['id', randomId('widget-')], ...rest]);
}
