/** Writes the reference of a JSON Schema as Markdown: a section for each mapping, a table row for each key. */
import type { JsonSchema } from '../src/config/json-schema.ts';

interface Section {
  readonly path: string;
  readonly text: string;
  readonly rows: readonly string[];
}

type Properties = Readonly<Record<string, JsonSchema>>;

/** Sections in the order of the keys; a list's entries are `key[]`, and alternatives are told apart by the key that names them. */
export function reference(schema: JsonSchema): string {
  return sectionsOf('', schema).map(render).join('\n');
}

function render({ path, text, rows }: Section): string {
  const title = path === '' ? '## Top level' : `## \`${path}\``;
  const table = rows.length > 0 ? ['| Key | Type | Default | Meaning |', '|---|---|---|---|', ...rows, ''] : [];
  return [title, '', ...(text ? [text, ''] : []), ...table].join('\n');
}

function sectionsOf(path: string, schema: JsonSchema): readonly Section[] {
  const alternatives = alternativesOf(schema);
  if (alternatives.length > 0) return alternativeSections(path, schema, alternatives);
  return [section(path, schema.description ?? '', propertiesOf(schema), schema), ...innerSections(path, propertiesOf(schema))];
}

/** What all alternatives share comes once, in front; `type` picks the alternative. */
function alternativeSections(path: string, schema: JsonSchema, alternatives: readonly JsonSchema[]): readonly Section[] {
  const [first = {}] = alternatives;
  const discriminator = Object.entries(propertiesOf(first)).find(([, property]) => property.const !== undefined)?.[0] ?? 'type';
  const names = alternatives.map((alternative) => propertiesOf(alternative)[discriminator]?.const);
  const shared = Object.entries(propertiesOf(first)).filter(([key, property]) =>
    alternatives.every((other) => key !== discriminator && JSON.stringify(propertiesOf(other)[key]) === JSON.stringify(property)),
  );
  const choice: JsonSchema = { ...propertiesOf(first)[discriminator], type: 'string', enum: names.map(String) };
  delete choice.const;
  const common = { [discriminator]: choice, ...Object.fromEntries(shared) };
  const sections = [section(path, schema.description ?? '', common, first)];
  for (const [index, alternative] of alternatives.entries()) {
    const own = Object.entries(propertiesOf(alternative)).filter(([key]) => !(key in common));
    if (own.length === 0) continue;
    const title = `${path} (${discriminator}: ${names[index]})`;
    sections.push(section(title, '', Object.fromEntries(own), alternative), ...innerSections(title, Object.fromEntries(own)));
  }
  return sections;
}

function innerSections(path: string, properties: Properties): readonly Section[] {
  return Object.entries(properties).flatMap(([key, property]) => {
    const [inner, suffix] = innerOf(property);
    const hasKeys = Object.keys(propertiesOf(inner)).length > 0 || alternativesOf(inner).length > 0;
    return hasKeys ? sectionsOf(path === '' ? `${key}${suffix}` : `${path}.${key}${suffix}`, inner) : [];
  });
}

/** What a list holds, what a mapping of names of the user's own choice holds, or the key's own value. */
function innerOf(property: JsonSchema): readonly [JsonSchema, string] {
  if (property.type === 'array') return [itemsOf(property), '[]'];
  const { additionalProperties: named } = property;
  return typeof named === 'object' ? [named, '.NAME'] : [property, ''];
}

function section(path: string, text: string, properties: Properties, owner: JsonSchema): Section {
  const required = new Set(owner.required ?? []);
  const rows = Object.entries(properties).map(([key, property]) => {
    const cells = [`\`${key}\``, typeOf(property), defaultOf(property, required.has(key)), property.description ?? ''];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  });
  return { path, text, rows };
}

function typeOf(schema: JsonSchema): string {
  if (schema.enum) return `one of ${schema.enum.map((value) => `\`${value}\``).join(', ')}`;
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.type === 'array') return `list of ${typeOf(itemsOf(schema))}`;
  if (schema.type === 'integer' || schema.type === 'number')
    return `${schema.type === 'integer' ? 'whole number' : 'number'}${rangeOf(schema)}`;
  const constants = (schema.anyOf ?? []).map((option) => (typeof option === 'object' ? option.const : undefined));
  if (constants.length > 0 && constants.every((value) => value !== undefined))
    return `one of ${constants.map((value) => `\`${value}\``).join(', ')}`;
  const keyword = constants.find((value) => value !== undefined);
  if (mappingIn(schema) && keyword !== undefined) return `\`${keyword}\` or mapping`;
  if (schema.type === 'object' || alternativesOf(schema).length > 0) return 'mapping';
  return typeof schema.type === 'string' ? schema.type : 'any value';
}

function rangeOf({ minimum: min, maximum: max }: JsonSchema): string {
  const from = min === undefined || min <= Number.MIN_SAFE_INTEGER ? undefined : min;
  const to = max === undefined || max >= Number.MAX_SAFE_INTEGER ? undefined : max;
  if (from !== undefined && to !== undefined) return ` ${short(from)} … ${short(to)}`;
  if (from !== undefined) return ` ≥ ${short(from)}`;
  return to === undefined ? '' : ` ≤ ${short(to)}`;
}

/** 1e+15 rather than a row of zeros. */
function short(value: number): string {
  return Math.abs(value) >= 1e10 ? value.toExponential() : String(value);
}

function defaultOf(schema: JsonSchema, required: boolean): string {
  if (required) return '**required**';
  const { default: value } = schema;
  const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  return value === undefined || isEmpty ? '' : `\`${value && typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function propertiesOf(schema: JsonSchema): Properties {
  const properties = schema.properties ?? mappingIn(schema)?.properties ?? {};
  const entries = Object.entries(properties).filter((entry): entry is [string, JsonSchema] => typeof entry[1] === 'object');
  return Object.fromEntries(entries);
}

/** The mapping of a key that takes one word or a mapping. */
function mappingIn(schema: JsonSchema): JsonSchema | undefined {
  return (schema.anyOf ?? []).find((option): option is JsonSchema => typeof option === 'object' && option.type === 'object');
}

function alternativesOf(schema: JsonSchema): readonly JsonSchema[] {
  return (schema.oneOf ?? []).filter((option): option is JsonSchema => typeof option === 'object');
}

function itemsOf(schema: JsonSchema): JsonSchema {
  return typeof schema.items === 'object' && !Array.isArray(schema.items) ? schema.items : {};
}
