/**
 * A training's state as a file: safetensors with its arrays by name (`weights.conv2d.kernel`, `optimizer.0.conv2d.kernel`), its
 * position as JSON in the metadata, and a checksum of it all. docs/model-file.md describes it.
 */
import { checkNames } from '../../options.js';
import { expectFunction, expectObject, objectWith, perhaps } from '../../expect.js';
import * as v from 'valibot';
import { ModelFileError } from '../../errors.js';
import { checkFinite, type NamedWeights } from '../../nn/parameters.js';
import type { TrainingState } from '../../nn/training/state.js';
import { contentHash, type Sha256 } from '../content-hash.js';
import { canonicalJson, parseJson, type Refuse } from '../json.js';
import { readSafetensors, writeSafetensors, type SafeTensor } from '../safetensors.js';

const FORMAT = 'beltnet-training';
const VERSION = '1';
const KEYS = ['checksum', 'format', 'position', 'version'];
/** Only there where the caller had any. */
const NOTES = 'notes';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const number = v.pipe(v.number(), v.finite());
const positionSchema = v.strictObject({
  seed: v.pipe(v.number(), v.safeInteger()),
  updates: count,
  draws: count,
  epoch: count,
  step: count,
  sums: v.strictObject({ loss: number, correct: number, samples: count }),
  gathered: count,
  optimizer: v.strictObject({ name: v.string(), schedule: v.string(), state: v.record(v.string(), number) }),
});

const refuseFor =
  (name: string): Refuse =>
  (expected, received) => {
    throw new ModelFileError(`${name}: expects ${expected}, got ${received}`);
  };

/** A state as it was in a file, with what the caller noted beside it. */
export interface NotedTrainingState extends TrainingState {
  readonly notes?: unknown;
}

/**
 * The file's bytes, equal for equal states.
 * @param options.notes what else belongs to that moment, as JSON: the figures of the epochs so far, say
 * @throws ModelFileError for what could not be read again
 */
export function encodeTrainingState(
  state: TrainingState,
  options: { hash?: Sha256; notes?: unknown } = {},
): Uint8Array {
  objectWith({ arrays: expectObject, position: expectObject })(state, 'encodeTrainingState: state');
  expectObject(options, 'encodeTrainingState: options');
  const { hash, notes } = options;
  perhaps(expectFunction)(hash, 'encodeTrainingState: hash');
  const refuse = refuseFor('encodeTrainingState');
  checkFinite(state.arrays, (message) => refuse('finite numbers', message));
  const tensors: Record<string, SafeTensor> = Object.fromEntries(
    Object.entries(state.arrays).map(([key, { shape, data }]) => [key, { dtype: 'F32', shape, data }]),
  );
  const position = canonicalJson(state.position, 'the position', refuse);
  const noted = notes === undefined ? {} : { [NOTES]: canonicalJson(notes, 'the notes', refuse) };
  const metadata = { format: FORMAT, version: VERSION, position, ...noted };
  return writeSafetensors(tensors, { ...metadata, checksum: contentHash({ tensors, metadata }, hash) });
}

/**
 * @param name of the file, for messages
 * @throws ModelFileError when the bytes are damaged, of another kind, or contradict themselves
 */
export function decodeTrainingState(
  bytes: Uint8Array,
  name: string,
  options: { hash?: Sha256 } = {},
): NotedTrainingState {
  checkNames('decodeTrainingState', options, { hash: true });
  const { hash } = options;
  const refuse = refuseFor(name);
  const { tensors, metadata } = readSafetensors(bytes, name);
  const { checksum = 'none', ...content } = metadata;
  const { format = 'none', version = 'none' } = content;
  if (format !== FORMAT) refuse("the state of a training written by beltnet, 'beltnet-training'", `format '${format}'`);
  if (version !== VERSION) refuse(`version ${VERSION} of a training's state`, `'${version}'`);
  const keys = Object.keys(metadata).toSorted();
  if (keys.filter((key) => key !== NOTES).join() !== KEYS.join())
    refuse(`metadata ${KEYS.join(', ')}`, keys.join(', ').slice(0, 120));
  if (contentHash({ tensors: Object.fromEntries(tensors), metadata: content }, hash) !== checksum)
    refuse(
      `content of checksum ${checksum.slice(0, 64)}`,
      'another: the file was damaged or changed; take a copy that was not',
    );
  const position = v.safeParse(positionSchema, parseJson(content['position'], 'the position', refuse));
  if (!position.success) {
    const [{ path, message }] = position.issues;
    return refuse(
      'a position in a training',
      `${path?.map(({ key }) => String(key)).join('.') ?? 'one'} that does not fit: ${message}`,
    );
  }
  const arrays: NamedWeights = Object.fromEntries(
    [...tensors].map(([key, { dtype, shape, data }]) => {
      if (data instanceof Float32Array) return [key, { shape, data }];
      return refuse(`${key} as F32`, dtype);
    }),
  );
  checkFinite(arrays, (message) => refuse('finite numbers', message));
  const noted = content[NOTES];
  return {
    position: position.output,
    arrays,
    ...(noted !== undefined && { notes: parseJson(noted, 'the notes', refuse) }),
  };
}
