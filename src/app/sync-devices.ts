/** The devices as a sync of a twin sees them: which tags are bound, what reading them brought, and when that is on disk. */
import { BAD_NO_COMMUNICATION, BAD_NODE_ID_UNKNOWN, BAD_TIMEOUT, isBad, type StatusCode } from '../core/status.ts';
import { API_SOURCE } from '../core/tag.ts';
import type { Pipeline } from '../ingest/pipeline.ts';
import type { ReadOutcome, Supervisor } from '../ingest/supervisor.ts';
import type { LiveValues } from '../twin/live.ts';
import type { DeviceAnswer, DeviceFailure, Devices, DeviceTag } from '../twin/sync.ts';
import type { Binding } from '../twin/twin.ts';

export interface DeviceParts {
  readonly pipeline: Pipeline;
  readonly supervisor: Supervisor;
  readonly live: LiveValues;
}

export function devicesOf({ pipeline, supervisor, live }: DeviceParts): Devices {
  return {
    tagsOf: (tenant, binding) => boundTags({ pipeline, supervisor }, tenant, binding),
    read: async (tags, signal) => (await supervisor.readNow(tags, signal)).map(answerOf),
    committed: (signal) => pipeline.durable(pipeline.ring.head, signal),
    reading: (tenant, binding) => live.reading(tenant, binding),
  };
}

/** By the configuration of the sources, and by the readings of those whose topics name their tags. */
export function boundTags(
  { pipeline, supervisor }: Pick<DeviceParts, 'pipeline' | 'supervisor'>,
  tenant: string,
  { asset, tag, source }: Binding,
): readonly DeviceTag[] {
  const named = supervisor.tagsOf(tenant, asset).filter(({ tagName }) => tagName === tag);
  const known = new Set(supervisor.sourceIds(tenant));
  const heard = pipeline.tags.find({ tenant, assets: [asset], tags: [tag] }).map((series) => pipeline.tags.definition(series).source);
  const sources = new Set([...named.map(({ sourceId }) => sourceId), ...heard.filter((id) => id !== API_SOURCE && known.has(id))]);
  return [...sources].filter((id) => source === undefined || id === source).map((sourceId) => ({ sourceId, assetId: asset, tagName: tag }));
}

function answerOf(outcome: ReadOutcome): DeviceAnswer {
  if (!outcome.ok) return outcome;
  const { status } = outcome.reading;
  return isBad(status)
    ? { ok: false, code: codeOf(status), message: `the device gave no value: status ${shownStatus(status)}` }
    : { ok: true };
}

/** A reading that says why there is no value is the failure of its tag. */
function codeOf(status: StatusCode): DeviceFailure['code'] {
  switch (status) {
    case BAD_TIMEOUT:
      return 'timeout';
    case BAD_NO_COMMUNICATION:
      return 'not_connected';
    case BAD_NODE_ID_UNKNOWN:
      return 'unknown_tag';
    default:
      return 'protocol';
  }
}

function shownStatus(status: StatusCode): string {
  return `0x${status.toString(16).padStart(8, '0')}`;
}
