/** Reads line.json. */
import { dirname, resolve } from 'node:path';
import { UsageError } from '../errors.js';
import { expectText } from '../expect.js';
import { readWholeFile } from '../files.node.js';
import { parseLineConfig, type CameraConfig, type LineConfig } from './config.js';

const CONFIG_FILE = {
  what: 'the configuration of a line',
  mostBytes: 2 ** 24,
  refuse: (message: string): Error => new UsageError(message),
};
/** @throws UsageError for a file that is no configuration */
export async function readLineConfig(path: string): Promise<LineConfig> {
  expectText(path, 'readLineConfig: path');
  const text = Buffer.from(await readWholeFile(path, CONFIG_FILE)).toString('utf8');
  return withPaths(parseLineConfig(text, path, process.env), dirname(path));
}

/** Paths are relative to the file that they stand in. */
function withPaths(config: LineConfig, folder: string): LineConfig {
  const at = (path: string): string => resolve(folder, path);
  const cameras = config.cameras.map((camera): CameraConfig => {
    const { source, suspects, challenge } = camera;
    return {
      ...camera,
      suspects: { ...suspects, ...(suspects.reference !== undefined && { reference: at(suspects.reference) }) },
      ...(challenge && { challenge: { ...challenge, pictures: at(challenge.pictures) } }),
      source:
        source.kind === 'folder'
          ? { ...source, path: at(source.path), ...(source.moveTo !== undefined && { moveTo: at(source.moveTo) }) }
          : source,
    };
  });
  const inSettings = <Settings extends object>(settings: Settings, names: readonly string[]): Settings => {
    const paths = Object.entries(settings).filter(([name, value]) => names.includes(name) && typeof value === 'string');
    return { ...settings, ...Object.fromEntries(paths.map(([name, value]) => [name, at(value as string)])) };
  };
  const all = (paths: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, at(path)]));
  return {
    ...config,
    cameras,
    ...(config.serve && {
      serve: inSettings(config.serve, ['tokenFile', 'readTokenFile', 'tlsCertificate', 'tlsKey']),
    }),
    outputs: Object.fromEntries(
      Object.entries(config.outputs).map(([name, one]) => [name, inSettings(one, ['queue', 'certificate'])]),
    ),
    models: all(config.models),
    testSets: all(config.testSets),
    ...(config.record && { record: { ...config.record, folder: at(config.record.folder) } }),
  };
}
