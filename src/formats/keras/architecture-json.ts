/** The JSON of a Keras model by schemas: layers, rows and graphs of them, and what each layer is applied to. */
import * as v from 'valibot';
import { ModelFileError } from '../../errors.js';
import { preview } from './preview.js';

export const MOST_LAYERS = 2000;
/** Models in models in models. */
export const DEEPEST = 8;

const layerSchema = v.looseObject(
  {
    class_name: v.string('a class name'),
    module: v.nullish(v.string()),
    config: v.looseObject({ name: v.optional(v.string('a name')) }, 'an object'),
    registered_name: v.nullish(v.string()),
    name: v.optional(v.string()),
    inbound_nodes: v.optional(v.array(v.unknown(), 'a list of nodes'), []),
  },
  'a layer with class_name and config',
);
export type LayerEntry = v.InferOutput<typeof layerSchema>;

const layerList = v.pipe(
  v.array(layerSchema, 'a list of layers'),
  v.minLength(1, 'at least one layer'),
  v.maxLength(MOST_LAYERS, `at most ${MOST_LAYERS} layers`),
);
/** Functional models of Keras 2 have a list of them, those of Keras 3 one, if there is one. */
const ends = v.pipe(
  v.union([v.tuple([reference()]), reference()], 'one layer; beltnet has models of one input and one output'),
  v.transform((given) => (Array.isArray(given[0]) ? given[0] : given) as Reference),
);
export const rowSchema = v.looseObject({ layers: layerList }, 'an object with layers');
export const graphSchema = v.looseObject({ layers: layerList, input_layers: ends, output_layers: ends });
export const modelSchema = v.looseObject(
  { class_name: v.string('a class name'), config: v.unknown() },
  'the JSON of a Keras model, with class_name and config',
);

/** Layer, node of it, output of that node. */
export type Reference = [string, number, number];
function reference() {
  return v.tuple([v.string(), v.number(), v.number()]);
}

/** Checks a value by a schema. @throws ModelFileError naming the place, what was expected and what was received */
export function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  place: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  let [issue] = result.issues as readonly v.BaseIssue<unknown>[];
  // of a choice between forms, the problem of the form that came further says more
  const deeper = issue.issues?.toSorted((a, b) => (b.path?.length ?? 0) - (a.path?.length ?? 0))[0];
  if (deeper?.path) issue = deeper;
  const path = (issue.path ?? []).map(({ key }) => String(key)).join('.');
  const got = preview(issue.input);
  throw new ModelFileError(`${place}${path && `, ${path}`}: expects ${issue.message}, got ${got}`);
}

export const nameOf = (entry: LayerEntry): string => entry.config.name ?? entry.name ?? entry.class_name.toLowerCase();

export const isNetwork = (className: string): boolean => ['Sequential', 'Functional', 'Model'].includes(className);

/** The options of the first layer, which may stand in a model in the model. */
export function firstConfig([first]: readonly LayerEntry[], depth = 0): unknown {
  const config = first.config as { layers?: unknown };
  const inner = v.safeParse(layerList, config.layers);
  return isNetwork(first.class_name) && inner.success && depth < DEEPEST
    ? firstConfig(inner.output, depth + 1)
    : first.config;
}

/** What a layer is applied to. */
export interface Inbound {
  readonly from: readonly Reference[];
  readonly numbers: readonly number[];
}

/**
 * The inputs of a node: Keras 2 lists them, Keras 3 writes the arguments of the call.
 * @throws ModelFileError naming the place, for a node without inputs from layers
 */
export function inboundOf(node: unknown, place: string): Inbound {
  const found: Reference[] = [];
  const collect = (value: unknown, depth: number): void => {
    if (depth > 3) return;
    const history = (value as { config?: { keras_history?: unknown } } | null)?.config?.keras_history ?? value;
    if (Array.isArray(history) && typeof history[0] === 'string') {
      const [layer, nodeIndex, tensorIndex] = history as unknown[];
      if (Number.isInteger(nodeIndex) && tensorIndex === 0) found.push([layer as string, nodeIndex as number, 0]);
      else throw new ModelFileError(`${place} expects inputs [layer, node, 0], got ${preview(history)}`);
    } else if (Array.isArray(value)) for (const one of value as unknown[]) collect(one, depth + 1);
  };
  const { args } = (node ?? {}) as { args?: unknown };
  collect(args ?? node, 0);
  const numbers = Array.isArray(args) ? args.filter((value): value is number => Number.isFinite(value)) : [];
  if (found.length === 0) throw new ModelFileError(`${place} expects inputs from layers, got ${preview(node)}`);
  return { from: found, numbers };
}
