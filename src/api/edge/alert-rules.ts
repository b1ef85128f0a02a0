/** /v1/alert-rules: list, make, read, replace, delete, enable, disable, unshelve. */
import { z } from 'zod';
import type { Rule, RuleDraft, RuleKey } from '../../alerts/rule.ts';
import { toRuleDraft } from '../../alerts/schema.ts';
import { API_SOURCE } from '../../core/tag.ts';
import { JSON_BODY_LIMIT_BYTES, readJson, readOptionalJson } from '../body.ts';
import { requireMatch, tagged } from '../conditional.ts';
import type { Operation } from '../operation.ts';
import { pageOf } from '../page.ts';
import { pageParams } from '../params.ts';
import { ApiError, type Detail, invalid } from '../problem.ts';
import { queryOf } from '../query.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import { listMetaSchema } from '../schema.ts';
import type { ApiServices } from '../services.ts';
import { validate } from '../validate.ts';
import {
  newRuleSchema,
  RULE_DRAFT_EXAMPLE,
  RULE_EXAMPLE,
  renderRule,
  rulePutSchema,
  ruleSchema,
  ruleUnshelveSchema,
  warningsSchema,
} from './alert-rule-schema.ts';
import { listMeta } from './list-meta.ts';

const GROUP = 'Alert rules';
const SAVING_ERRORS = ['store_failed', 'store_stalled', 'storage_full', 'limit_reached'] as const;
const CHANGING_ERRORS = ['not_found', 'managed_by_config', 'precondition_failed', ...SAVING_ERRORS] as const;
const ONE = {
  schema: z.object({ data: ruleSchema, meta: warningsSchema }),
  example: { data: RULE_EXAMPLE, meta: { warnings: [] } },
};

const listQuery = z.object(pageParams(20, 100));

const LIST_RULES: Operation = {
  id: 'listAlertRules',
  summary: 'List alert rules, the oldest first',
  group: GROUP,
  query: listQuery,
  answers: [
    {
      status: 200,
      description: 'A page of rules',
      schema: z.object({ data: z.array(ruleSchema), meta: listMetaSchema }),
      example: { data: [RULE_EXAMPLE], meta: { page: 1, per_page: 20, total: 1 } },
    },
  ],
  errors: [],
};

const CREATE_RULE: Operation = {
  id: 'createAlertRule',
  summary: 'Make an alert rule',
  description:
    'It watches from now on: readings that are older than the newest one raise nothing, and the value that stands counts from now. Channels that do not exist are accepted and named in `meta.warnings`.',
  group: GROUP,
  body: { schema: newRuleSchema, example: RULE_DRAFT_EXAMPLE },
  answers: [{ status: 201, description: 'The rule', etag: 'revision', ...ONE }],
  errors: SAVING_ERRORS,
};

const GET_RULE: Operation = {
  id: 'getAlertRule',
  summary: 'Get an alert rule and how it fares',
  group: GROUP,
  answers: [{ status: 200, description: 'The rule', etag: 'revision', ...ONE }],
  errors: ['not_found'],
};

const PUT_RULE: Operation = {
  id: 'replaceAlertRule',
  summary: 'Replace an alert rule as a whole',
  description:
    'What is left out takes its default. With another condition or source the rule begins anew, and its open alerts are resolved as `rule_changed`. `id`, `state` and times may be sent as they were read.',
  group: GROUP,
  body: { schema: rulePutSchema, example: RULE_DRAFT_EXAMPLE },
  answers: [{ status: 200, description: 'The rule', etag: 'revision', ...ONE }],
  errors: CHANGING_ERRORS,
};

const DELETE_RULE: Operation = {
  id: 'deleteAlertRule',
  summary: 'Delete an alert rule',
  description: 'Its open alerts are resolved as `rule_deleted`.',
  group: GROUP,
  answers: [{ status: 204, description: 'It is gone' }],
  errors: CHANGING_ERRORS,
};

function switching(id: string, summary: string, description: string): Operation {
  return {
    id,
    summary,
    description,
    group: GROUP,
    answers: [{ status: 200, description: 'The rule', etag: 'revision', ...ONE }],
    errors: CHANGING_ERRORS,
  };
}

const ENABLE_RULE = switching('enableAlertRule', 'Watch by an alert rule', 'Again it changes nothing.');
const DISABLE_RULE = switching(
  'disableAlertRule',
  'Watch by an alert rule no more',
  'Its open alerts are resolved as `rule_disabled`. Again it changes nothing.',
);

const UNSHELVE_RULE: Operation = {
  id: 'unshelveAlertRule',
  summary: 'End the shelving of an alert rule',
  description: 'On one asset or on all where it is shelved, whether it has an open alert there or not. Again it changes nothing.',
  group: GROUP,
  body: { schema: ruleUnshelveSchema, example: { asset_id: 'Pump_001', note: 'The pump is back' }, optional: true },
  answers: [{ status: 200, description: 'The rule', etag: 'revision', ...ONE }],
  errors: ['not_found', 'store_failed', 'store_stalled', 'storage_full'],
};

export function alertRuleRoutes(services: ApiServices): Route[] {
  const one = '/v1/alert-rules/:id';
  return [
    documented(
      LIST_RULES,
      route('GET', '/v1/alert-rules', 'read:alerts', (call) => list(services, call)),
    ),
    documented(
      CREATE_RULE,
      route('POST', '/v1/alert-rules', 'write:alerts', (call) => create(services, call)),
    ),
    documented(
      GET_RULE,
      route('GET', one, 'read:alerts', (call) => shown(services, services.alerting.rules.get(keyOf(call)))),
    ),
    documented(
      PUT_RULE,
      route('PUT', one, 'write:alerts', (call) => replace(services, call)),
    ),
    documented(
      DELETE_RULE,
      route('DELETE', one, 'write:alerts', (call) => remove(services, call)),
    ),
    documented(
      ENABLE_RULE,
      route('POST', `${one}/enable`, 'write:alerts', (call) => enable(services, call, true)),
    ),
    documented(
      DISABLE_RULE,
      route('POST', `${one}/disable`, 'write:alerts', (call) => enable(services, call, false)),
    ),
    documented(
      UNSHELVE_RULE,
      route('POST', `${one}/unshelve`, 'write:alerts', (call) => unshelve(services, call)),
    ),
  ];
}

function list({ alerting }: ApiServices, { tenant, request }: Call): Answer {
  const query = queryOf(listQuery, request);
  const all = alerting.rules.list(tenant);
  const page = pageOf(all, query).map((rule) => rendered(alerting, rule));
  return ok({ data: page, meta: listMeta(query, all.length) });
}

async function create(services: ApiServices, call: Call): Promise<Answer> {
  const draft = toRuleDraft(validate(newRuleSchema, await readJson(call.request, JSON_BODY_LIMIT_BYTES)));
  requireSource(services, call.tenant, draft);
  const rule = await services.alerting.rules.create(call.tenant, draft);
  return { ...shown(services, rule), status: 201, headers: { ...shown(services, rule).headers, Location: `/v1/alert-rules/${rule.id}` } };
}

async function replace(services: ApiServices, call: Call): Promise<Answer> {
  const at = keyOf(call);
  const body = validate(rulePutSchema, await readJson(call.request, JSON_BODY_LIMIT_BYTES));
  if (body.id !== undefined && body.id !== at.id) throw invalid([{ field: 'id', message: 'is not changed: must be the id of the path' }]);
  const draft = toRuleDraft(body);
  const rule = await services.alerting.rules.change(at, ({ revision }) => {
    requireMatch(call.request.header('if-match'), revision);
    requireSource(services, call.tenant, draft);
    return draft;
  });
  return shown(services, rule);
}

async function remove({ alerting }: ApiServices, call: Call): Promise<Answer> {
  const ifMatch = call.request.header('if-match');
  if (!(await alerting.rules.remove(keyOf(call), ({ revision }) => requireMatch(ifMatch, revision)))) throw notFound();
  return { status: 204, body: undefined };
}

async function enable(services: ApiServices, call: Call, enabled: boolean): Promise<Answer> {
  const rule = await services.alerting.rules.change(keyOf(call), (present) => {
    requireMatch(call.request.header('if-match'), present.revision);
    const { name, severity, dataSourceId, condition, channels } = present;
    return { name, severity, ...(dataSourceId !== undefined && { dataSourceId }), condition, channels, enabled };
  });
  return shown(services, rule);
}

async function unshelve(services: ApiServices, call: Call): Promise<Answer> {
  const at = keyOf(call);
  const { asset_id: asset, note } = validate(ruleUnshelveSchema, (await readOptionalJson(call.request, JSON_BODY_LIMIT_BYTES)) ?? {});
  await services.alerting.unshelveRule(at, asset, { by: call.token.name, note: note ?? undefined });
  return shown(services, services.alerting.rules.get(at));
}

/** Throws `not_found`. */
function shown({ alerting, channels }: ApiServices, rule: Rule | undefined): Answer {
  if (!rule) throw notFound();
  const warnings = rule.channels.flatMap((channel, index): Detail[] =>
    channels.has(rule.tenant, channel)
      ? []
      : [{ field: `notifications.${index}`, message: `there is no channel "${channel}": nobody hears of it there` }],
  );
  return tagged(ok({ data: rendered(alerting, rule), meta: { warnings } }), rule.revision, false);
}

function rendered(alerting: ApiServices['alerting'], rule: Rule) {
  return renderRule(rule, alerting.stateOf(rule), alerting.shelves(rule));
}

/** Throws `validation_error`. */
function requireSource({ sources }: ApiServices, tenant: string, { dataSourceId }: RuleDraft): void {
  if (dataSourceId === undefined || dataSourceId === API_SOURCE || sources.list(tenant).some(({ id }) => id === dataSourceId)) return;
  throw invalid([{ field: 'data_source_id', message: 'there is no data source of this id' }]);
}

function notFound(): ApiError {
  return new ApiError('not_found', 'There is no such alert rule.');
}

function keyOf({ tenant, request }: Call): RuleKey {
  return { tenant, id: request.param('id') ?? '' };
}
