/**
 * What a line is made of (line.json): models, cameras with their regions, the alarm, the record, outputs. One schema; what is not
 * known is refused by name, since a misspelt limit would be no limit. Texts may hold `${NAME}`, which is taken from the environment:
 * passwords and tokens stay out of the file, and out of everything that is written or said.
 */
import * as v from 'valibot';
import { UsageError } from '../errors.js';
import { expectObject, expectText } from '../expect.js';
import { parseJson } from '../formats/json.js';
import { preview } from '../options.js';
import { serveSettings } from './serve-settings.js';

const name = v.pipe(
  v.string('a name'),
  v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a name of letters, digits, dots, dashes and underscores'),
);
const text = v.pipe(v.string('a text'), v.nonEmpty('a text'));
const whole = (least: number, most: number) => {
  const message = `a whole number from ${least} to ${most}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(least, message), v.maxValue(most, message));
};
const number = (least: number, most: number) => {
  const message = `a number from ${least} to ${most}`;
  return v.pipe(v.number(message), v.finite(message), v.minValue(least, message), v.maxValue(most, message));
};
const seconds = number(0.05, 86_400);
const flag = v.boolean('true or false');

/** Where frames come from; one of these. */
const source = v.variant(
  'kind',
  [
    v.strictObject({
      kind: v.literal('folder'),
      path: text,
      /** How often the folder is looked at: also where nobody tells of changes, as on network shares. */
      pollSeconds: v.optional(seconds, 0.2),
      /** What becomes of files that were looked at: they stay, or are moved to another folder of the same disk. */
      moveTo: v.optional(text),
      /** A file that does not decode after so long is set down as unreadable. */
      giveUpSeconds: v.optional(seconds, 10),
      /** Whether every file gets a verdict, oldest first, or only the newest of those that wait. */
      every: v.optional(flag, true),
    }),
    v.strictObject({
      kind: v.literal('stream'),
      /** rtsp://, http(s):// (MJPEG), a device (/dev/video0), or a video file. */
      url: text,
      /** Of rtsp://: the camera calls here and pushes its frames, instead of being called. */
      listen: v.optional(flag, false),
      framesPerSecond: v.optional(number(0.01, 60), 5),
      /** Frames are scaled to this by ffmpeg; left out: the stream's own size, which ffprobe tells. */
      width: v.optional(whole(16, 8192)),
      height: v.optional(whole(16, 8192)),
      /** No frame for so long: ffmpeg is killed and started anew. */
      hungSeconds: v.optional(seconds, 5),
      ffmpeg: v.optional(text, 'ffmpeg'),
    }),
    v.strictObject({
      kind: v.literal('snapshot'),
      /** http(s)://, which answers with one picture. */
      url: text,
      everySeconds: v.optional(seconds, 0.5),
      timeoutSeconds: v.optional(seconds, 5),
      /** Of the request, such as { "authorization": "Bearer ${TOKEN}" }. */
      headers: v.optional(v.record(text, text), {}),
    }),
    v.strictObject({ kind: v.literal('standard-input') }),
    v.strictObject({ kind: v.literal('submit') }),
  ],
  "a source with the kind 'folder', 'stream', 'snapshot', 'standard-input' or 'submit'",
);

const alarm = v.strictObject({
  /** An alarm is raised when `raise` of the last `of` frames are alerts … */
  of: v.optional(whole(1, 1000), 5),
  raise: v.optional(whole(1, 1000), 3),
  /** … and its cause is over when at most `clear` of them are. */
  clear: v.optional(whole(0, 999), 0),
  /** In place of the model's own threshold. */
  threshold: v.optional(number(0, 1)),
  /** An alarm stands at least so long. */
  holdSeconds: v.optional(number(0, 86_400), 10),
  /** Whether an alarm stands until somebody acknowledges it. */
  latch: v.optional(flag, true),
});

const suspects = v.strictObject({
  /** Frames that are the same, or differ by less than noise, for so long: frozen. 0 switches it off. */
  frozenSeconds: v.optional(number(0, 86_400), 10),
  /** A frame that is so old when it arrives is stale. */
  staleSeconds: v.optional(seconds, 5),
  /** Dark, overexposed, blurred, covered: by the limits that the model learned. */
  quality: v.optional(flag, true),
  /** Frames that are unlike what the model was trained on. */
  unlike: v.optional(flag, true),
  /** A picture file of how the camera should look: it has moved when the scene lies elsewhere by more than `movedPart` of its width. */
  reference: v.optional(text),
  movedPart: v.optional(number(0.005, 0.5), 0.05),
});

/** Known bad pictures, shown to the camera's models on a schedule. */
const challenge = v.strictObject({
  /** A folder of pictures of this camera, each of which must raise the alert … */
  pictures: text,
  everySeconds: v.optional(seconds, 3600),
  /** … of this region; left out: of one of them. */
  region: v.optional(name),
  /** Whether one that is noticed raises the region's alarm, so that all behind it is tried, too. */
  alarm: v.optional(flag, false),
});

const part = number(0, 1);
const region = v.strictObject({
  name,
  /** In parts of the frame, 0 to 1; left out: the whole. */
  box: v.optional(
    v.strictObject({ left: part, top: part, width: number(0.001, 1), height: number(0.001, 1) }, 'a box'),
  ),
  model: v.optional(name),
  alarm: v.optional(alarm),
});

const camera = v.strictObject({
  name,
  source,
  model: v.optional(name),
  /** Lanes; left out: one region called `all`. */
  regions: v.optional(
    v.pipe(v.array(region), v.minLength(1, 'one region or more'), v.maxLength(64, '64 regions at most')),
  ),
  alarm: v.optional(alarm, {}),
  suspects: v.optional(suspects, {}),
  challenge: v.optional(challenge),
  /** No verdict for so long is an alarm of its own. */
  noVerdictSeconds: v.optional(seconds, 10),
});

const lineSchema = v.strictObject({
  /** Model files, or folders of runs, by the names by which cameras call them. */
  models: v.pipe(
    v.record(name, text),
    v.check((models) => Object.keys(models).length > 0, 'one model or more, such as { "belt": "runs/first" }'),
  ),
  /** By the names of models: labelled pictures on which a model must be no worse than the one whose place it takes. */
  testSets: v.optional(v.record(name, text), {}),
  cameras: v.pipe(v.array(camera), v.minLength(1, 'one camera or more'), v.maxLength(64, '64 cameras at most')),
  record: v.optional(
    v.strictObject({
      folder: text,
      /** Pictures of alarms are kept up to this; the oldest go. */
      pictureMegabytes: v.optional(number(0, 1e7), 1000),
      /** Of these verdicts pictures are kept. */
      pictures: v.optional(v.picklist(['alerts', 'all', 'none'], "'alerts', 'all' or 'none'"), 'alerts'),
      /** Frames that are set aside to be labelled. */
      queue: v.optional(
        v.strictObject({
          /** 0: none is. */
          megabytes: v.optional(number(0, 1e7), 200),
          /** Those whose probability of the alert's class is nearer than this to the threshold; and all that are unlike the training. */
          uncertain: v.optional(number(0, 1), 0.15),
          /** Of each region one in so long. */
          everySeconds: v.optional(seconds, 10),
        }),
        {},
      ),
    }),
  ),
  /** At the end of each what was seen is compared with the training. `begin` is the hour of the day at which one begins. */
  shifts: v.optional(
    v.strictObject({ hours: v.optional(number(0.001, 24), 8), begin: v.optional(number(0, 24), 6) }),
    {},
  ),
  heartbeatSeconds: v.optional(seconds, 10),
  /** Everything is done and recorded, and no output is told. */
  shadow: v.optional(flag, false),
  device: v.optional(v.picklist(['auto', 'cpu', 'webgpu'], "'auto', 'cpu' or 'webgpu'"), 'auto'),
  /** The wall screen, pictures in, metrics, by HTTP; left out: nothing is served. */
  serve: v.optional(serveSettings),
  /** Each part is read by the output of that name. */
  outputs: v.optional(v.record(name, v.record(text, v.unknown())), {}),
});

type Parsed = v.InferOutput<typeof lineSchema>;
export type SourceConfig = Parsed['cameras'][number]['source'];
export type SourceOf<Kind extends SourceConfig['kind']> = Extract<SourceConfig, { kind: Kind }>;
export type AlarmConfig = v.InferOutput<typeof alarm>;
export type SuspectsConfig = v.InferOutput<typeof suspects>;
export type ChallengeConfig = v.InferOutput<typeof challenge>;

export interface RegionConfig {
  readonly name: string;
  /** In parts of the frame; null for the whole. */
  readonly box: { readonly left: number; readonly top: number; readonly width: number; readonly height: number } | null;
  readonly model: string;
  readonly alarm: AlarmConfig;
}

export interface CameraConfig {
  readonly name: string;
  readonly source: SourceConfig;
  readonly regions: readonly RegionConfig[];
  readonly suspects: SuspectsConfig;
  readonly challenge?: ChallengeConfig | undefined;
  readonly noVerdictSeconds: number;
}

export interface LineConfig extends Omit<Parsed, 'cameras'> {
  readonly cameras: readonly CameraConfig[];
  /** What came from the environment: `withoutSecrets` takes it out of messages. */
  readonly secrets: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * @param json the text of line.json
 * @param file what messages call it
 * @throws UsageError saying which setting is not what was expected
 */
export function parseLineConfig(json: string, file: string, environment: Environment): LineConfig {
  expectText(json, 'parseLineConfig: json');
  expectText(file, 'parseLineConfig: file');
  const refuse = (expected: string, got: string): never => {
    throw new UsageError(`${file}: expects ${expected}, got ${got}`);
  };
  return checkLineConfig(parseJson(json, 'a configuration', refuse), file, environment);
}

/** The same of what a program gives. */
export function checkLineConfig(given: unknown, file: string, environment: Environment): LineConfig {
  expectText(file, 'checkLineConfig: file');
  expectObject(environment, 'checkLineConfig: environment');
  const secrets = new Set<string>();
  const filled = fillIn(given, (variable) => {
    const value = environment[variable];
    if (value === undefined || value === '')
      throw new UsageError(`${file}: expects the environment variable ${variable}, which is not set`);
    secrets.add(value);
    return value;
  });
  const { success, output, issues } = v.safeParse(lineSchema, filled, { abortEarly: true });
  if (!success) throw new UsageError(`${file}: ${describe(issues[0], given)}`);
  const fail = (message: string): never => {
    throw new UsageError(`${file}: ${message}`);
  };
  const modelNames = Object.keys(output.models);
  const modelOf = (wanted: string | undefined, where: string): string => {
    const chosen = wanted ?? (modelNames.length === 1 ? modelNames[0] : undefined);
    if (chosen !== undefined && modelNames.includes(chosen)) return chosen;
    return fail(`${where}.model expects one of ${modelNames.join(', ')}, got ${chosen ?? 'none'}`);
  };
  for (const tested of Object.keys(output.testSets))
    if (!modelNames.includes(tested))
      fail(`testSets expects names of models (${modelNames.join(', ')}), got ${tested}`);
  refuseTwice(output.cameras, (twice) => fail(`cameras: expects every name once, got ${twice} twice`));
  const cameras = output.cameras.map(({ regions, alarm: alarmOfAll, model, ...one }): CameraConfig => {
    const where = `camera ${one.name}`;
    refuseTwice(regions ?? [], (twice) => fail(`${where}: expects every region's name once, got ${twice} twice`));
    const challenged = one.challenge?.region;
    if (challenged !== undefined && !(regions ?? [{ name: 'all' }]).some((own) => own.name === challenged))
      fail(`${where}: challenge.region expects one of its regions, got ${challenged}`);
    return {
      ...one,
      regions: (regions ?? [{ name: 'all' }]).map(({ name: regionName, box = null, model: own, alarm: ownAlarm }) => {
        const at = `${where}, region ${regionName}`;
        const rule = ownAlarm ?? alarmOfAll;
        if (rule.raise > rule.of) fail(`${at}: alarm.raise expects at most alarm.of (${rule.of}), got ${rule.raise}`);
        if (rule.clear >= rule.raise)
          fail(`${at}: alarm.clear expects less than alarm.raise (${rule.raise}), got ${rule.clear}`);
        if (box && (box.left + box.width > 1 + 1e-9 || box.top + box.height > 1 + 1e-9))
          fail(`${at}: box expects to lie within the frame (0 to 1), got ${JSON.stringify(box)}`);
        return { name: regionName, box, model: modelOf(own ?? model, at), alarm: rule };
      }),
    };
  });
  if (cameras.filter(({ source: { kind } }) => kind === 'standard-input').length > 1)
    fail('cameras: expects at most one with the source standard-input');
  return { ...output, cameras, secrets: [...secrets] };
}

function refuseTwice(named: readonly { readonly name: string }[], refuse: (name: string) => void): void {
  const seen = new Set<string>();
  for (const one of named) {
    if (seen.has(one.name)) refuse(one.name);
    seen.add(one.name);
  }
}

/** Replaces `${NAME}` in all texts. */
function fillIn(value: unknown, valueOf: (variable: string) => string): unknown {
  if (typeof value === 'string')
    return value.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, variable: string) => valueOf(variable));
  if (Array.isArray(value)) return value.map((each) => fillIn(each, valueOf));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fillIn(each, valueOf)]));
}

/** What valibot found, in our words: the setting, what was expected, what was received, as it stands in the file (without secrets). */
function describe(issue: v.BaseIssue<unknown>, given: unknown): string {
  const keys = (issue.path ?? []).map(({ key }) => String(key));
  const path = keys.join('.') || 'the configuration';
  if (issue.expected === 'never') return `${path} is no setting that is known`;
  if (issue.received === 'undefined') return `${path} is needed, and is not there`;
  const value = keys.reduce<unknown>((inside, key) => Object(inside)[key] as unknown, given);
  const expected = issue.type === 'strict_object' ? 'an object' : lowerFirst(issue.message);
  return `${path} expects ${expected}, got ${preview(value)}`;
}

const lowerFirst = (message: string): string => message[0].toLowerCase() + message.slice(1);

/** A text for people or logs, with `***` in place of what came from the environment, and of passwords in URLs. */
export function withoutSecrets(message: string, secrets: readonly string[]): string {
  expectText(message, 'withoutSecrets: message');
  let clean = message;
  for (const secret of [...secrets].toSorted((a, b) => b.length - a.length)) {
    clean = clean.replaceAll(secret, '***').replaceAll(encodeURIComponent(secret), '***');
  }
  return clean.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, '$1***@');
}
