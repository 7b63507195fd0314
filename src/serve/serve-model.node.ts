/** A model over HTTP. */
import { UsageError } from '../errors.js';
import { expectObject, expectPath, received } from '../expect.js';
import { classifyRoutes, inJson, type DescribedRoute } from './classify-routes.node.js';
import { openApi } from './openapi.js';
import { serve, type Served, type ServeOptions } from './server.node.js';
import { ServedModel, type ServedModelOptions } from './served-model.node.js';

export interface ServeModelOptions extends Omit<ServeOptions, 'routes' | 'roots'> {
  readonly model?: ServedModelOptions;
  /** Of beltnet, for the OpenAPI document. */
  readonly version?: string;
}

export interface ServedClassifier extends Served {
  readonly model: ServedModel;
}

/** The routes with the document that describes them. */
export function withDocument(routes: readonly DescribedRoute[], version: string): readonly DescribedRoute[] {
  const document: DescribedRoute = {
    method: 'GET',
    path: '/openapi.json',
    access: 'reader',
    answer: () => inJson(openApi(all, version)),
    about: {
      summary: 'This document.',
      answers: { 200: 'OpenAPI 3.1.' },
      schema: { type: 'object' },
    },
  };
  const all = [...routes, document];
  return all;
}

/**
 * Serves a model: POST /classify, /model, /health, /ready, /openapi.json.
 *
 * @param given a model file, or the folder of a run
 * @throws ModelFileError, NoDeviceError; UsageError for a place where it must not listen
 * @example
 * const served = await serveModel('runs/first', { port: 8080 });
 */
export async function serveModel(given: string, options: ServeModelOptions = {}): Promise<ServedClassifier> {
  expectPath(given, 'serveModel: model');
  expectObject(options, 'serveModel: options');
  const { model: modelOptions = {}, version = '0', ...others } = options;
  if (typeof version !== 'string') throw new UsageError(`serveModel: version expects a text, got ${received(version)}`);
  expectObject(modelOptions, 'serveModel: options, model');
  const model = await ServedModel.open(given, modelOptions);
  try {
    const served = await serve({ ...others, routes: withDocument(classifyRoutes(model), version) });
    return {
      ...served,
      model,
      async close(drainTime) {
        await served.close(drainTime);
        await model.close();
      },
    };
  } catch (error) {
    await model.close();
    throw error;
  }
}
