/** A line over HTTP: the wall screen, its state and events, pictures in, acknowledgements, metrics, models. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { encodeJpeg } from '../data/pictures/jpeg/encode-jpeg.js';
import type { Picture } from '../data/pictures/picture.js';
import { resize } from '../data/pictures/resize.js';
import { UsageError } from '../errors.js';
import { expectArray, expectFunction, expectNumber, expectObject, expectText, objectWith, perhaps } from '../expect.js';
import { Refused } from '../serve/answers.js';
import {
  health,
  inJson,
  PICTURE_TYPES,
  readiness,
  refusingBusy,
  VERDICT,
  type DescribedRoute,
} from '../serve/classify-routes.node.js';
import { readTlsFiles, readTokenFile } from '../serve/secret-files.node.js';
import { withDocument } from '../serve/serve-model.node.js';
import { serve, type Asked, type Served } from '../serve/server.node.js';
import type { LineConfig } from './config.js';
import { KeptModels } from './kept-models.node.js';
import { LineStream } from './line-stream.js';
import type { Line } from './output.js';
import { LineMetrics } from './outputs/metrics.node.js';
import type { WatchedOutput } from './outputs/watched-output.js';

export interface ServeLineOptions {
  /** Whose health is shown. */
  readonly outputs?: readonly WatchedOutput[];
  /** Of beltnet, for the OpenAPI document. */
  readonly version?: string;
}

/** Of one picture file. */
const MOST_BYTES = 2 ** 24;
/** Of pictures on pages. */
const JPEG_QUALITY = 85;
const MOST_PIXELS_ACROSS = 640;

const text = { type: 'string' };
const object = (properties: object): object => ({ type: 'object', properties });

const expectLine = objectWith({
  state: expectFunction,
  onEvent: expectFunction,
  isReady: expectFunction,
  models: expectFunction,
  submit: expectFunction,
  lastPicture: expectFunction,
});
const expectConfig = objectWith({
  serve: perhaps(expectObject),
  heartbeatSeconds: expectNumber,
  record: perhaps(objectWith({ folder: expectText })),
});

/**
 * Serves a line as its configuration says in `serve`.
 *
 * @throws UsageError for a place where it must not listen, and for files that cannot be read
 * @example
 * const config = await readLineConfig('line.json');
 * const outputs = await openOutputs(config);
 * const line = await startLine(config, { outputs });
 * const served = await serveLine(line, config, { outputs });
 */
export async function serveLine(line: Line, config: LineConfig, options: ServeLineOptions = {}): Promise<Served> {
  expectLine(line, 'serveLine: line');
  expectConfig(config, 'serveLine: config');
  expectObject(options, 'serveLine: options');
  const { outputs = [], version = '0' } = options;
  expectArray(outputs, 'serveLine: outputs');
  const { serve: settings, heartbeatSeconds, record } = config;
  if (!settings) throw new UsageError('serveLine: expects a configuration with serve, got one without');
  const { host, port, names, tokenFile, readTokenFile: readFile, tlsCertificate, tlsKey } = settings;
  if ((tlsCertificate === undefined) !== (tlsKey === undefined))
    throw new UsageError('serve: expects tlsCertificate and tlsKey together, got only one of the two');
  const stream = new LineStream(line, outputs, heartbeatSeconds);
  const metrics = await LineMetrics.open(line, outputs);
  const models = await KeptModels.open(line, record ? record.folder : null);
  const end = (): void => {
    stream.close();
    metrics.close();
  };
  try {
    const served = await serve({
      host,
      port,
      names,
      routes: withDocument(
        [...screenRoutes(line, stream), ...workRoutes(line, stream), ...modelRoutes(models), metricsRoute(metrics)],
        version,
      ),
      token: tokenFile === undefined ? undefined : readTokenFile(tokenFile),
      readToken: readFile === undefined ? undefined : readTokenFile(readFile),
      tls: tlsCertificate !== undefined && tlsKey !== undefined ? readTlsFiles(tlsCertificate, tlsKey) : undefined,
    });
    return {
      ...served,
      async close(drainTime) {
        end();
        await served.close(drainTime);
      },
    };
  } catch (error) {
    end();
    throw error;
  }
}

const place = [
  { name: 'camera', description: 'The name of a camera.', required: true },
  { name: 'region', description: 'The name of one of its regions.', required: true },
];

/** @throws Refused for a camera or region that the line does not have */
function regionOf(line: Line, query: URLSearchParams): { camera: string; region: string } {
  const camera = query.get('camera') ?? '';
  const region = query.get('region') ?? '';
  const { cameras } = line.state();
  if (!Object.hasOwn(cameras, camera) || !Object.hasOwn(cameras[camera].regions, region))
    throw new Refused(404, `there is no region '${region}' of a camera '${camera}'`);
  return { camera, region };
}

/** The wall screen, and what it asks. */
function screenRoutes(line: Line, stream: LineStream): readonly DescribedRoute[] {
  // It stands in itself, and says nothing of the line: who opens it on a screen has the token in the address, behind #, which no server is told.
  const page = readFileSync(fileURLToPath(wallPage()), 'utf8');
  const [, policy = ''] = /http-equiv="Content-Security-Policy"\s+content="([^"]*)"/.exec(page) ?? [];
  const shown = new WeakMap<Picture, Uint8Array>();
  return [
    {
      method: 'GET',
      path: '/',
      access: 'anybody',
      answer: () => ({
        type: 'text/html; charset=utf-8',
        body: page,
        contentPolicy: `${policy}; frame-ancestors 'none'`,
      }),
      about: { summary: 'The wall screen.', answers: { 200: 'A page.' }, contentType: 'text/html' },
    },
    {
      method: 'GET',
      path: '/state',
      access: 'reader',
      answer: () => inJson(stream.view()),
      about: {
        summary: 'The present state of the line and of its outputs.',
        answers: { 200: 'The state.' },
        schema: object({
          state: { type: 'object' },
          outputs: { type: 'array' },
          isReady: { type: 'boolean' },
          now: text,
        }),
      },
    },
    {
      method: 'GET',
      path: '/events',
      access: 'reader',
      answer: ({ signal }) => ({ type: 'text/event-stream; charset=utf-8', body: stream.messages(signal) }),
      about: {
        summary: 'What happens, as Server-Sent Events.',
        description:
          "'view' is what /state says, at once, after every change and every two seconds: who hears nothing for six must believe nothing. " +
          "'event' is an alarm, a fault or a note, the last 200 of them first; by its id doubles are known.",
        answers: { 200: 'A stream that does not end.' },
        contentType: 'text/event-stream',
      },
    },
    {
      method: 'GET',
      path: '/picture',
      access: 'reader',
      answer({ query }) {
        const { camera, region } = regionOf(line, query);
        const picture = line.lastPicture(camera, region);
        if (!picture) throw new Refused(404, 'there is no picture yet');
        const bytes = shown.get(picture) ?? encodeJpeg(small(picture), JPEG_QUALITY);
        shown.set(picture, bytes);
        return { type: 'image/jpeg', body: bytes };
      },
      about: {
        summary: 'The last picture of a region that was looked at.',
        parameters: place,
        answers: { 200: 'A JPEG.', 404: 'There is no such region, or no picture yet.' },
        contentType: 'image/jpeg',
      },
    },
  ];
}

/** A picture as a page shows it. Whole pixels are left out first: frames wait while this is done, however large the camera's are. */
function small(picture: Picture): Picture {
  const step = Math.floor(Math.max(picture.width, picture.height) / MOST_PIXELS_ACROSS);
  if (step < 1) return picture;
  const sparse = { width: Math.ceil(picture.width / step), height: Math.ceil(picture.height / step) };
  const thinned = step === 1 ? picture : resize(picture, sparse, 'nearest');
  const factor = Math.min(1, MOST_PIXELS_ACROSS / Math.max(sparse.width, sparse.height));
  const [width, height] = [sparse.width, sparse.height].map((side) => Math.max(1, Math.round(side * factor)));
  return resize(thinned, { width, height }, 'box');
}

/** Where `npm run build` puts it, seen from the sources and from what is built of them. */
function wallPage(): URL {
  const isBuilt = import.meta.url.endsWith('.js');
  return new URL(isBuilt ? '../../wall/wall.html' : '../../dist/wall/wall.html', import.meta.url);
}

/** Pictures in, acknowledgements, and whether the line works. */
function workRoutes(line: Line, stream: LineStream): readonly DescribedRoute[] {
  const problems = (): string[] => {
    const { isReady, isBeating, outputs } = stream.view();
    return [
      ...(isBeating ? [] : ['the line gives no sign of life']),
      ...(isReady ? [] : ['a region has no verdict, or an old one']),
      ...outputs.flatMap(({ name, trouble }) => (trouble === null ? [] : [`${name}: ${trouble}`])),
    ];
  };
  return [
    health,
    readiness(problems),
    {
      method: 'POST',
      path: '/pictures',
      access: 'writer',
      mostBytes: MOST_BYTES,
      async answer({ query, body }: Asked) {
        const camera = query.get('camera') ?? '';
        if (!Object.hasOwn(line.state().cameras, camera)) throw new Refused(404, `there is no camera '${camera}'`);
        return inJson(await refusingBusy(line.submit(camera, body, query.get('name') ?? undefined)));
      },
      about: {
        summary: 'A picture for a camera of the line: judged, recorded, and counted for its alarms.',
        parameters: [
          { name: 'camera', description: 'The name of the camera.', required: true },
          { name: 'name', description: 'What the record calls the picture.' },
        ],
        takes: PICTURE_TYPES,
        answers: {
          200: 'The verdict on each region.',
          404: 'There is no such camera.',
          422: 'The body is no picture, and why.',
        },
        schema: object({
          camera: text,
          sequence: { type: 'integer' },
          verdicts: { type: 'array' },
          faults: { type: 'array' },
        }),
      },
    },
    {
      method: 'POST',
      path: '/classify',
      access: 'reader',
      mostBytes: MOST_BYTES,
      async answer({ query, body }: Asked) {
        const models = line.models().map(({ name }) => name);
        const model = query.get('model') ?? models[0];
        if (!models.includes(model)) throw new Refused(404, `there is no model '${model}'`);
        return inJson({ ...(await refusingBusy(line.classify(model, body))), model });
      },
      about: {
        summary:
          'What a model says of a picture that is no frame of the line: nothing is recorded, no alarm is raised.',
        parameters: [{ name: 'model', description: "The model's name in the configuration; default: the first." }],
        takes: PICTURE_TYPES,
        answers: { 200: 'Its verdict.', 404: 'There is no such model.', 422: 'The body is no picture, and why.' },
        schema: VERDICT,
      },
    },
    {
      method: 'POST',
      path: '/acknowledge',
      access: 'writer',
      answer({ query }) {
        const { camera, region } = regionOf(line, query);
        line.acknowledge(camera, region, (query.get('who') ?? '').slice(0, 80) || 'somebody');
        return inJson(line.state().cameras[camera].regions[region].alarm);
      },
      about: {
        summary: 'Somebody has seen an alarm.',
        parameters: [...place, { name: 'who', description: 'For the record.' }],
        answers: { 200: 'The alarm as it stands now.', 404: 'There is no such region.' },
        schema: object({ state: text, reason: text, alarmId: text, since: text }),
      },
    },
  ];
}

function metricsRoute(metrics: LineMetrics): DescribedRoute {
  return {
    method: 'GET',
    path: '/metrics',
    access: 'reader',
    answer: () => metrics.text(),
    about: {
      summary: 'For Prometheus.',
      answers: { 200: 'Counters and gauges in its text format.' },
      contentType: 'text/plain',
    },
  };
}

function modelRoutes(models: KeptModels): readonly DescribedRoute[] {
  const facts = object({ name: text, path: text, digest: text, classNames: { type: 'array', items: text } });
  const model = { name: 'model', description: "The model's name in the configuration.", required: true };
  return [
    {
      method: 'GET',
      path: '/models',
      access: 'reader',
      answer: () => inJson({ live: models.live, kept: models.kept, refused: models.refused }),
      about: {
        summary:
          'The models that judge, those that can be taken back, and why the last new file did not go live, if it did not.',
        answers: { 200: 'The models.' },
        schema: object({ live: { type: 'array', items: facts }, kept: { type: 'array' }, refused: {} }),
      },
    },
    {
      method: 'POST',
      path: '/models/reload',
      access: 'writer',
      answer: async ({ query }) => inJson(await models.reload(query.get('model') ?? '')),
      about: {
        summary: 'Takes the file of a model anew, without a missed frame.',
        description: 'It goes live when it gives its stored verdicts again; else the old one goes on.',
        parameters: [model],
        answers: { 200: 'The model that judges now.', 422: 'It must not go live, and why; the old one goes on.' },
        schema: facts,
      },
    },
    {
      method: 'POST',
      path: '/models/rollback',
      access: 'writer',
      answer: async ({ query }) => inJson(await models.rollBack(query.get('model') ?? '', query.get('digest') ?? '')),
      about: {
        summary: 'Takes back a model that judged before.',
        parameters: [
          model,
          { name: 'digest', description: 'Its digest or the beginning of it, as /models gives it.', required: true },
        ],
        answers: { 200: 'The model that judges now.', 422: 'There is none of that digest.' },
        schema: facts,
      },
    },
  ];
}
