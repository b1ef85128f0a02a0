/** What a source that is made over the API must be beside right by its schemas: as in the file, and within the rules for addresses, files and devices. */
import { wordsOf } from '../api/fault-words.ts';
import { tagsOfProfile } from '../config/profiles.ts';
import { DRIVERS } from '../drivers/registry.ts';
import { optionFaults, optionsSchema } from '../drivers/source-options.ts';
import type { SourceTag } from '../ingest/source.ts';
import type { Runnable, SourceDraft } from '../ingest/source-registry.ts';
import type { EgressPolicy } from '../system/egress.ts';
import type { DevicePolicy, FilePolicy } from '../system/file-policy.ts';

export interface SourceFault {
  /** Dot path. */
  readonly field: string;
  readonly message: string;
}

export interface SourceCheckOptions {
  readonly egress: Pick<EgressPolicy, 'literalDenial'>;
  readonly files: Pick<FilePolicy, 'denial'>;
  readonly devices: Pick<DevicePolicy, 'denial'>;
  /** Where the operator's own battery profiles are. */
  readonly profilesDir: string;
}

export class SourceCheck {
  readonly #egress: SourceCheckOptions['egress'];
  readonly #files: SourceCheckOptions['files'];
  readonly #devices: SourceCheckOptions['devices'];
  readonly #profilesDir: string;

  constructor({ egress, files, devices, profilesDir }: SourceCheckOptions) {
    this.#egress = egress;
    this.#files = files;
    this.#devices = devices;
    this.#profilesDir = profilesDir;
  }

  /** All of them; none where the source may be saved. */
  faults(draft: SourceDraft, id: string): readonly SourceFault[] {
    const between = optionFaults(draft.type, draft, id).map(({ path, message }) => ({ field: path.join('.') || 'tags', message }));
    if (between.length > 0) return between;
    const tags = this.#tagsOf(draft);
    if (typeof tags === 'string') return [{ field: 'profile', message: tags }];
    return [...this.#targetFaults(draft), ...this.#fileFaults(draft)];
  }

  #targetFaults({ type, config }: SourceDraft): readonly SourceFault[] {
    const target = DRIVERS[type].target?.(config);
    const denial = target && this.#egress.literalDenial(target.host, target.port);
    if (!target || !denial) return [];
    const key = denial.part === 'port' && target.key === 'host' ? 'port' : target.key;
    return [{ field: `config.${key}`, message: denial.message }];
  }

  #fileFaults({ type, config }: Pick<SourceDraft, 'type' | 'config'>): readonly SourceFault[] {
    const { files, devices } = DRIVERS[type];
    const named = [
      ...(files?.(config) ?? []).map(({ key, file }) => ({ key, message: this.#files.denial(file) })),
      ...(devices?.(config) ?? []).map(({ key, file }) => ({ key, message: this.#devices.denial(file) })),
    ];
    return named.flatMap(({ key, message }) => (message === undefined ? [] : [{ field: `config.${key}`, message }]));
  }

  /** Of a draft that was saved, maybe by another version. */
  resolve(draft: SourceDraft, id: string): Runnable {
    const options = { config: draft.config, tags: draft.tags, ...(draft.profile !== undefined && { profile: draft.profile }) };
    const checked = draft.type in DRIVERS ? optionsSchema(draft.type).safeParse(options, { error: wordsOf }) : undefined;
    if (!checked?.success) {
      const [issue] = checked?.error.issues ?? [];
      const what = issue ? `${issue.path.join('.')}: ${issue.message}` : `this version knows no type "${draft.type}"`;
      return { fault: `what was saved of the source is not valid for this version: ${what}` };
    }
    const [between] = optionFaults(draft.type, draft, id);
    if (between) return { fault: `${between.path.join('.')}: ${between.message}` };
    const [denied] = this.#fileFaults({ type: draft.type, config: checked.data.config });
    if (denied) return { fault: `${denied.field}: ${denied.message}` };
    const tags = this.#tagsOf(draft);
    return typeof tags === 'string' ? { fault: `profile: ${tags}` } : { config: checked.data.config, tags };
  }

  #tagsOf({ profile, config, tags }: SourceDraft): readonly SourceTag[] | string {
    return profile === undefined ? tags : tagsOfProfile(profile, config as Parameters<typeof tagsOfProfile>[1], this.#profilesDir);
  }
}
