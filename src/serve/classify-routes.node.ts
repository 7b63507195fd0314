/** What programs may ask of a model over HTTP: verdicts, whether it is ready, which one it is, and another in its place. */
import { BusyError } from '../data/pictures/picture-threads.node.js';
import { Refused, type Answer } from './answers.js';
import type { Operation } from './openapi.js';
import type { Access, Route } from './server.node.js';
import type { ServedModel } from './served-model.node.js';

/** A route that the OpenAPI document describes. */
export interface DescribedRoute extends Route {
  readonly access: Access;
  readonly about: Operation;
}

/** Of one picture file. */
const MOST_BYTES = 2 ** 24;

export const inJson = (value: unknown, status = 200): Answer => ({
  status,
  type: 'application/json',
  body: `${JSON.stringify(value)}\n`,
});

const object = (properties: object, required: readonly string[] = Object.keys(properties)): object => ({
  type: 'object',
  required,
  properties,
});
const probability = { type: 'number', minimum: 0, maximum: 1 };
const text = { type: 'string' };

export const PICTURE_TYPES = ['image/jpeg', 'image/png', 'image/bmp'];

export const VERDICT = object(
  {
    class: text,
    probability,
    probabilities: { type: 'object', additionalProperties: probability },
    alert: { type: 'boolean', description: "Whether the probability of the alert's class reaches its threshold." },
    unlike: {
      type: 'number',
      description: 'How unlike the pictures of the training, 1 at the limit; of models that can tell.',
    },
    unknown: { type: 'boolean', description: 'The model was not trained on such pictures: the verdict is a guess.' },
    faults: { type: 'array', items: text, description: 'What is wrong with the picture, whatever is in it.' },
    model: { ...text, description: 'Which model said so.' },
  },
  ['class', 'probability', 'probabilities', 'alert', 'model'],
);

const FACTS = object({
  name: text,
  file: text,
  sha256: text,
  classNames: { type: 'array', items: text },
  alert: object({ className: text, threshold: probability }),
  reproduced: {
    oneOf: [
      object({ pictures: { type: 'integer' }, worstDifference: { type: 'number' }, tolerance: { type: 'number' } }),
      { type: 'null' },
    ],
  },
  since: { ...text, format: 'date-time' },
});

/** Whoever asks too often is told so, not that the picture is bad. */
export async function refusingBusy<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof BusyError ? new Refused(503, error.message, 1) : error;
  }
}

export const health: DescribedRoute = {
  method: 'GET',
  path: '/health',
  access: 'anybody',
  answer: () => ({ type: 'text/plain; charset=utf-8', body: 'alive\n' }),
  about: {
    summary: 'Whether the process lives; whether it can work is what /ready says.',
    answers: { 200: 'It lives.' },
    contentType: 'text/plain',
  },
};

/** @param problems what keeps it from work, in words; none when it is ready */
export const readiness = (problems: () => readonly string[]): DescribedRoute => ({
  method: 'GET',
  path: '/ready',
  access: 'anybody',
  answer() {
    const found = problems();
    return inJson({ ready: found.length === 0, problems: found }, found.length === 0 ? 200 : 503);
  },
  about: {
    summary: 'Whether it can work: models are loaded, and every camera has its verdicts.',
    answers: { 200: 'Ready.', 503: 'Not ready; problems says why.' },
    schema: object({ ready: { type: 'boolean' }, problems: { type: 'array', items: text } }),
  },
});

/** Routes of a server that classifies and does nothing else. */
export function classifyRoutes(served: ServedModel): readonly DescribedRoute[] {
  return [
    {
      method: 'POST',
      path: '/classify',
      access: 'reader',
      mostBytes: MOST_BYTES,
      async answer({ body }) {
        const { verdict, model } = await refusingBusy(served.classify(body));
        return inJson({ ...verdict, model });
      },
      about: {
        summary: 'What the model says of a picture.',
        description: 'Pictures of requests that come at the same time are computed together.',
        takes: PICTURE_TYPES,
        answers: { 200: 'Its verdict.', 422: 'The body is no picture that can be used, and why.' },
        schema: VERDICT,
      },
    },
    {
      method: 'GET',
      path: '/model',
      access: 'reader',
      answer: () => inJson({ live: served.facts, kept: served.kept, refused: served.refused }),
      about: {
        summary:
          'The model that answers, those that can be taken back, and why the last file did not go live, if it did not.',
        answers: { 200: 'The models.' },
        schema: object({
          live: FACTS,
          kept: { type: 'array', items: FACTS },
          refused: { oneOf: [object({ model: text, path: text, at: text, reason: text }), { type: 'null' }] },
        }),
      },
    },
    {
      method: 'POST',
      path: '/model/reload',
      access: 'writer',
      answer: async () => inJson(await served.reload()),
      about: {
        summary: 'Takes the model file anew.',
        description: 'The new model goes live when it gives its stored verdicts again; else the old one goes on.',
        answers: { 200: 'The model that answers now.', 422: 'It must not go live, and why; the old one goes on.' },
        schema: FACTS,
      },
    },
    {
      method: 'POST',
      path: '/model/rollback',
      access: 'writer',
      async answer({ query }) {
        return inJson(await served.rollBack(query.get('name') ?? ''));
      },
      about: {
        summary: 'Takes back a model that answered before.',
        parameters: [{ name: 'name', description: 'Its name, as /model gives it.', required: true }],
        answers: { 200: 'The model that answers now.', 422: 'There is none of that name.' },
        schema: FACTS,
      },
    },
    health,
    readiness(() => (served.failure === null ? [] : [served.failure])),
  ];
}
