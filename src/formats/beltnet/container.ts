/**
 * The container of beltnet's model files: safetensors whose metadata are JSON in named fields, with sections that later
 * versions add and a checksum of it all. docs/model-file.md describes it.
 *
 *     content ←seal, unseal→ bytes        the checksum
 *     parts   ←pack, unpack→ content      fields, weights, sections
 */
import { ModelFileError } from '../../errors.js';
import { expectObject } from '../../expect.js';
import { contentHash, type Content, type Sha256 } from '../content-hash.js';
import { canonicalJson, parseJson, type Refuse } from '../json.js';
import { readSafetensors, writeSafetensors, type SafeTensor } from '../safetensors.js';

/** A part of a model file beside what every model has. Who does not know a section keeps it as it is. */
export interface Section {
  /** Anything that JSON holds. */
  readonly value?: unknown;
  /** In the file under names that begin with that of the section: `statistics/mean`. */
  readonly tensors?: Readonly<Record<string, SafeTensor>>;
  /** Whether the model says something else without it: who does not know such a section refuses the file. */
  readonly required?: boolean;
}

/** Names are of small letters, digits and hyphens. `weights` is not among them: they have a place of their own. */
export type Sections = Readonly<Record<string, Section>>;

export interface ModelParts {
  /** 1: a row of layers. 2: a graph. 3: either, with sections. */
  readonly version: 1 | 2 | 3;
  readonly fields: Readonly<Record<(typeof FIELDS)[number], unknown>>;
  readonly weights: Readonly<Record<string, SafeTensor>>;
  readonly sections: Sections;
}

const FORMAT = 'beltnet-model';
const VERSIONS: readonly string[] = ['1', '2', '3'];
const FIELDS = ['architecture', 'classes', 'preprocessing', 'alert'] as const;
/** All keys of the metadata. Older versions ignored others; since 3 they are refused, as options that are misspelt are. */
const KEYS: readonly string[] = ['format', 'version', 'checksum', 'sections', ...FIELDS];
const SECTION_NAME = /^(?!weights$)[a-z][a-z0-9-]{0,63}$/;

/** The bytes of a file, equal for equal content. */
export function seal({ tensors, metadata }: Content, hash?: Sha256): Uint8Array {
  return writeSafetensors(tensors, { ...metadata, checksum: contentHash({ tensors, metadata }, hash) });
}

/** @throws ModelFileError when the bytes are damaged, of another kind, or of a version that is not known */
export function unseal(bytes: Uint8Array, name: string, hash?: Sha256): Content {
  const file = readSafetensors(bytes, name);
  const { checksum, ...metadata } = file.metadata;
  const { format = 'none', version = 'none' } = metadata;
  if (format !== FORMAT)
    throw new ModelFileError(
      `${name}: expects a model written by beltnet, got safetensors with format '${format}'; train one with "beltnet train"`,
    );
  if (!VERSIONS.includes(version))
    throw new ModelFileError(
      `${name}: expects model format version ${VERSIONS.join(' or ')}, got '${version}'; use the beltnet version that wrote it`,
    );
  const content = { tensors: Object.fromEntries(file.tensors), metadata };
  const found = checksum === undefined ? undefined : contentHash(content, hash);
  if (found !== checksum)
    throw new ModelFileError(
      `${name}: expects content of checksum ${checksum?.slice(0, 64)}, got ${found}: the file was damaged or changed after it ` +
        "was written; take a copy that was not (who changes one on purpose takes the field 'checksum' away)",
    );
  return content;
}

/** @throws what `refuse` throws, for what JSON or the file cannot hold */
export function pack({ version, fields, weights, sections }: ModelParts, refuse: Refuse): Content {
  const json = (value: unknown, what: string): string => canonicalJson(value, what, refuse);
  const tensors: Record<string, SafeTensor> = { ...weights };
  const described: Record<string, object> = {};
  for (const [section, description] of Object.entries(sections).toSorted(byKey)) {
    expectObject(description, `the section '${section}'`);
    const { value, required, tensors: own = {} } = description;
    described[section] = { value, required };
    const [taken] = Object.keys(weights).filter((weight) => weight.startsWith(`${section}/`));
    if (taken !== undefined) refuse(`weights with other names than the section '${section}'`, `'${taken}'`);
    for (const [tensor, each] of Object.entries(own).toSorted(byKey)) tensors[`${section}/${tensor}`] = each;
  }
  const metadata = {
    format: FORMAT,
    version: `${version}`,
    ...Object.fromEntries(FIELDS.map((key) => [key, json(fields[key], key)])),
    ...(Object.keys(described).length > 0 && { sections: json(described, 'sections') }),
  };
  return { tensors, metadata };
}

const byKey = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1);

/** @throws what `refuse` throws, when the content contradicts itself */
export function unpack({ tensors, metadata }: Content, refuse: Refuse): ModelParts {
  const version = Number(metadata['version']) as ModelParts['version'];
  const unknown = Object.keys(metadata).find((key) => !KEYS.includes(key));
  if (version >= 3 && unknown !== undefined) refuse(`metadata with the fields ${KEYS.join(', ')}`, `'${unknown}'`);
  const field = (key: string): unknown => parseJson(metadata[key] ?? '', `the metadata field '${key}'`, refuse);
  const fields = Object.fromEntries(FIELDS.map((key) => [key, field(key)])) as ModelParts['fields'];
  const described = version >= 3 && metadata['sections'] !== undefined ? field('sections') : {};
  return { version, fields, ...divide(tensors, described, refuse) };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const preview = (value: unknown): string => JSON.stringify(value).slice(0, 60);

/** Tensors whose names begin with that of a section are the section's, all others weights. */
function divide(tensors: Content['tensors'], given: unknown, refuse: Refuse): Pick<ModelParts, 'weights' | 'sections'> {
  if (!isObject(given)) return refuse('sections by name', preview(given));
  const sections = new Map(
    Object.entries(given).map(([name, description]) => {
      if (!SECTION_NAME.test(name))
        refuse('sections named by small letters, digits and hyphens, and not weights', `'${name}'`);
      const { value, required, ...others } = isObject(description) ? description : { others: description };
      if (Object.keys(others).length > 0 || !(required === undefined || typeof required === 'boolean'))
        return refuse(`value, and true or false for required, in the section '${name}'`, preview(description));
      return [name, { value, required, tensors: new Map<string, SafeTensor>() }];
    }),
  );
  const weights = new Map<string, SafeTensor>();
  for (const [name, tensor] of Object.entries(tensors)) {
    const end = name.indexOf('/');
    const section = sections.get(name.slice(0, Math.max(0, end)));
    if (section) section.tensors.set(name.slice(end + 1), tensor);
    else weights.set(name, tensor);
  }
  const read = [...sections].map(([name, { value, required, tensors: own }]): [string, Section] => [
    name,
    {
      ...(value !== undefined && { value }),
      ...(required !== undefined && { required }),
      ...(own.size > 0 && { tensors: Object.fromEntries(own) }),
    },
  ]);
  return { weights: Object.fromEntries(weights), sections: Object.fromEntries(read) };
}
