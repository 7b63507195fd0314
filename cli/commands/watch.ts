/** `beltnet watch`: watches cameras with a model, raises the alarm, and records all of it, until it is stopped. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { UsageError } from '../../src/errors.js';
import {
  checkLineConfig,
  openOutputs,
  readLineConfig,
  serveLine,
  startLine,
  type Line,
  type LineEvent,
} from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { above0, deviceFlags, probability } from '../terminal/common-flags.js';
import { reloadOnHangUp, stopInOrder } from '../terminal/interrupt.js';
import { filePath, folder } from '../terminal/options.js';
import { note, Output } from '../terminal/output.js';
import { version } from '../version.js';

export const command = defineCommand({
  operands: {
    '[model]': 'model.safetensors, or the folder of a run; left out with --config',
    '[source]':
      'a folder in which pictures appear; rtsp://, http:// (MJPEG), /dev/video0 or a video file (by ffmpeg); - for pictures on standard input',
  },
  flags: {
    config: flag('<file>', 'line.json: cameras, regions, alarms, record, outputs (docs/line.md)', filePath),
    snapshots: flag(
      '<seconds>',
      'the source is an http(s) address that answers with one picture, asked every so often',
      above0,
    ),
    moveTo: flag('<dir>', 'where files of a folder go when they were looked at (default: they stay)', folder),
    record: flag('<dir>', 'where verdicts, faults and alarms are recorded, with pictures of alerts', folder),
    threshold: flag('<p>', "an alert from this probability on, in place of the model's own", probability),
    shadow: toggle('everything but the outputs: nothing is switched'),
    device: deviceFlags.device,
    json: toggle('one JSON object an event: verdict, fault, alarm, dropped, heartbeat, note'),
    verdicts: toggle('also a line for every verdict'),
  },
  notes:
    'An alarm is raised by 3 of the last 5 frames, or when no verdict comes for 10 s; line.json sets that and all else for each camera.\n' +
    'SIGHUP reads line.json again and takes models that changed; SIGTERM and Ctrl-C end it when the frames at hand have their verdicts.',
  examples: [
    'beltnet watch runs/first /var/camera --record record',
    'beltnet watch runs/first rtsp://127.0.0.1:8554/belt --json',
    'beltnet watch --config line.json',
  ],
  async run([model, source], options) {
    const config = configOf(model, source, options);
    const output = new Output(options);
    const { result, stopCode } = await stopInOrder(
      'beltnet: stopping when the frames at hand have their verdicts',
      async (signal) => {
        const settings =
          typeof config === 'string' ? await readLineConfig(config) : checkLineConfig(config, 'watch', process.env);
        const outputs = settings.shadow ? [] : await openOutputs(settings, (problem) => note(`beltnet: ${problem}`));
        const onEvent = (event: LineEvent): void => {
          output.emit(event);
          const text = inWords(event, options.verdicts);
          if (text !== null) output.say(text);
        };
        // What is open would keep the process from ending with its error.
        const line = await startLine(config, { outputs, onEvent }).catch(async (error: unknown) => {
          for (const each of outputs) await each.close();
          throw error;
        });
        const serving = settings.serve ? serveLine(line, settings, { outputs, version: version() }) : null;
        const served = await serving?.catch(async (error: unknown) => {
          await line.close();
          throw error;
        });
        if (served) {
          output.emit({ event: 'listening', url: served.url });
          output.say(`Wall screen: ${served.url}`);
          if (settings.serve?.tokenFile === undefined) output.say(`Token to acknowledge with: ${served.token}`);
        }
        output.say(`Watching ${Object.keys(line.state().cameras).join(', ')}`);
        reloadOnHangUp(() => void line.reload().catch((error: Error) => note(`beltnet: ${error.message}`)));
        try {
          return await ended(line, signal);
        } finally {
          await served?.close();
        }
      },
    );
    return stopCode ?? result;
  },
});

/** Waits for the end, and lets everybody finish. @returns the exit code */
async function ended(line: Line, signal: AbortSignal): Promise<number> {
  const stopped = new Promise<null>((settle) => {
    if (signal.aborted) settle(null);
    signal.addEventListener('abort', () => settle(null));
  });
  const error = await Promise.race([stopped, line.ended.then(() => null), line.failed]);
  await line.close();
  if (error) throw error;
  return 0;
}

interface WatchOptions {
  readonly config: string | undefined;
  readonly snapshots: number | undefined;
  readonly moveTo: string | undefined;
  readonly record: string | undefined;
  readonly threshold: number | undefined;
  readonly shadow: boolean;
  readonly device: 'auto' | 'webgpu' | 'cpu';
}

/** The path of a configuration, or one of a model and its camera. @throws UsageError */
function configOf(model: string | undefined, source: string | undefined, options: WatchOptions): string | object {
  const { config, snapshots, moveTo, record, threshold, shadow, device } = options;
  if (config !== undefined) {
    const others = [model, snapshots, moveTo, record, threshold].some((value) => value !== undefined);
    if (others || shadow || device !== 'auto')
      throw new UsageError('--config: expects nothing beside it, got other settings; they belong into the file');
    return config;
  }
  if (model === undefined || source === undefined)
    throw new UsageError('watch: expects a model and a source, or --config with a file, got neither');
  return {
    models: { model: resolve(model) },
    cameras: [
      {
        name: 'camera',
        source: sourceOf(source, snapshots, moveTo),
        ...(threshold !== undefined && { alarm: { threshold } }),
      },
    ],
    ...(record !== undefined && { record: { folder: resolve(record) } }),
    shadow,
    device,
  };
}

function sourceOf(source: string, snapshots: number | undefined, moveTo: string | undefined): object {
  if (snapshots !== undefined) return { kind: 'snapshot', url: source, everySeconds: snapshots };
  if (source === '-') return { kind: 'standard-input' };
  if (statSync(source, { throwIfNoEntry: false })?.isDirectory())
    return { kind: 'folder', path: resolve(source), ...(moveTo !== undefined && { moveTo: resolve(moveTo) }) };
  return { kind: 'stream', url: source };
}

/** A line for people; null for what they need not read. */
function inWords(event: LineEvent, verdicts: boolean): string | null {
  const time = event.at.slice(11, 19);
  const of =
    'camera' in event && event.camera !== undefined
      ? `${event.camera}${'region' in event && event.region !== undefined ? `/${event.region}` : ''}`
      : 'line';
  switch (event.kind) {
    case 'alarm':
      return `${time}  ${event.state === 'alarm' ? 'ALARM' : event.state}  ${of}: ${event.reason}`;
    case 'fault':
      return `${time}  ${event.active ? `FAULT ${event.fault}` : `${event.fault} over`}  ${of}: ${event.detail}`;
    case 'note':
      return event.level === 'warning' ? `${time}  warning  ${event.detail}` : null;
    case 'verdict':
      return verdicts
        ? `${time}  ${event.class} ${event.probability.toFixed(4)}${event.alert ? ' ALERT' : ''}  ${of}: ${event.source}, ${event.ageMilliseconds} ms`
        : null;
    case 'challenge':
      return `${time}  ${event.isCaught ? 'challenge noticed' : 'CHALLENGE MISSED'}  ${of}: ${event.piece} (${event.detail})`;
    case 'shift': {
      const { drift, verdicts: seen, alerts } = event;
      return `${time}  shift  ${of}: ${seen} verdicts, ${alerts} alerts${drift ? `, drift ${drift.value.toFixed(2)} (${drift.of})` : ''}`;
    }
    default:
      return null;
  }
}
