/** Turns a battery profile and the topics of its packs into plain MQTT tags. */
import { GatewayError } from '../../core/errors.ts';
import type { MqttConfig, MqttTag } from '../mqtt/options.ts';
import { type BmsProfile, fieldLine } from './schema.ts';

/**
 * One tag for each line of the profile (for each repetition of a repeated one) under each of `config.topics`.
 * @throws GatewayError `config_invalid` when the source has no topics.
 */
export function expandProfile(profile: BmsProfile, config: MqttConfig): readonly MqttTag[] {
  const topics = config.topics ?? [];
  if (topics.length === 0)
    throw new GatewayError('config_invalid', `config.topics: profile "${profile.name}" needs the topics where its packs report`);
  return topics.flatMap((topic) => profile.fields.flatMap((field) => tagsOf(profile, field, topic)));
}

function tagsOf(profile: BmsProfile, field: BmsProfile['fields'][number], topic: string): MqttTag[] {
  const { tag, path, repeat = 1, ...reading } = field;
  return Array.from({ length: repeat }, (_, index) => ({
    ...reading,
    topic,
    tag_name: fieldLine(tag, index + 1),
    json_path: fieldLine(path, index + 1),
    ...(profile.timestamp_path !== undefined && { timestamp_path: profile.timestamp_path }),
    writable: false,
  }));
}
