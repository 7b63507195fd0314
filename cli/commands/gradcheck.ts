/** `beltnet gradcheck`: every op on the user's own device against float64, and a model on all devices. */
import { createHash } from 'node:crypto';
import { UsageError } from '../../src/errors.js';
import {
  checkNames,
  DataFlow,
  gradcheck as check,
  listAdapters,
  loadPictures,
  openDevice,
  ReferenceDevice,
  type CheckResult,
  type Dataset,
  type Device,
  type DeviceName,
  type LoadedPicture,
} from '../../src/index.node.js';
import { describeDevice, withDevice, type DeviceOptions } from '../terminal/device.js';
import { classProbabilities, compileModel, openModel, type OpenedModel } from '../terminal/model-file.js';
import { count, note, Output, showProgress, table } from '../terminal/output.js';

export interface GradcheckOptions extends DeviceOptions {
  readonly op?: string;
  readonly model?: string;
  readonly json?: boolean;
}

/** The exit code when a check fails. */
const CHECK_FAILED = 12;

/** Most that a probability may differ between devices. */
const PREDICTION_TOLERANCE = 1e-4;

/**
 * @param directory pictures for --model
 * @returns the exit code
 */
export async function gradcheck(directory: string | undefined, options: GradcheckOptions): Promise<number> {
  const output = new Output(options);
  const { op: name, model } = options;
  if (model === undefined && directory !== undefined)
    throw new UsageError(`gradcheck: expected --model MODEL with the folder ${directory}, got none`);
  if (model !== undefined && directory === undefined)
    throw new UsageError('gradcheck: expected a folder of pictures with --model, got none');
  if (name !== undefined && !checkNames().includes(name))
    throw new UsageError(`--op: expected one of ${checkNames().join(', ')}, got '${name}'`);
  const results = await withDevice(options, async (device, facts) => {
    output.say(`Device: ${describeDevice(facts)}`);
    output.emit({ device: facts });
    const found: CheckResult[] = [];
    // A software driver takes up to 0.1 s to compile each shader anew for each shape.
    const cases = facts.hardware || name !== undefined ? 3 : 1;
    for await (const result of check(device, { name, cases })) {
      found.push(result);
      output.emit(result);
      showProgress(() => `Checked ${result.kind} ${result.name}`);
    }
    return found;
  });
  for (const line of report(results)) output.say(line);
  const failed = results.filter(({ passed }) => !passed).length;
  const agree = model === undefined || directory === undefined || (await comparePredictions(model, directory, output));
  output.emit({ event: 'end', checks: results.length, failed, predictionsAgree: model === undefined ? null : agree });
  if (failed > 0) note(`beltnet: ${failed} of ${count(results.length, 'check')} failed`);
  return failed === 0 && agree ? 0 : CHECK_FAILED;
}

const written = (error: number): string => (error === 0 ? '0' : error.toExponential(1));
const verdict = ({ passed }: CheckResult): string => (passed ? 'ok' : 'FAILED');

/** Ops with their gradients first, then the kernels, then the network; what failed again at the end, in words. */
function report(results: readonly CheckResult[]): string[] {
  const rows = (kind: CheckResult['kind']) =>
    results
      .filter((result) => result.kind === kind)
      .map((result) => [
        ...[result.name, written(result.forward), Object.values(result.gradients).map(written).join(' ') || '-'],
        ...[result.difference === null ? '-' : written(result.difference), written(result.tolerance), verdict(result)],
      ]);
  const header = ['forward', 'gradient of each input', 'rule', 'tolerance', 'verdict'];
  const [ops, kernels, network] = [rows('op'), rows('kernel'), results.filter(({ kind }) => kind === 'network')];
  return [
    'Worst relative errors against float64; rule: gradient rule against finite differences, in float64 (tolerance 1e-6)',
    ...(ops.length > 0 ? ['', ...table([['op', ...header], ...ops])] : []),
    ...(kernels.length > 0
      ? [
          '',
          ...table([
            ['kernel', 'error', 'tolerance', 'verdict'],
            ...kernels.map(([name, forward, , , tolerance, passed]) => [name, forward, tolerance, passed]),
          ]),
        ]
      : []),
    ...network.flatMap((result) => [
      '',
      ...table([
        ['network', 'error', 'tolerance', 'verdict'],
        ['loss', written(result.forward), written(result.tolerance), verdict(result)],
        ...Object.entries(result.gradients).map(([name, error]) => [
          ...[`gradient of ${name}`, written(error), written(result.tolerance)],
          error <= result.tolerance ? 'ok' : 'FAILED',
        ]),
      ]),
    ]),
    '',
    ...results.flatMap(({ kind, name, where }) => (where === null ? [] : [`FAILED ${kind} ${name}: ${where}`])),
  ];
}

/** The pictures that could be read, in one piece; nobody asks for their labels. */
function datasetOf(loaded: readonly LoadedPicture[], { info, size }: OpenedModel): Dataset & { pictures: Uint8Array } {
  const good = loaded.filter((picture) => 'picture' in picture);
  const length = size.width * size.height * 3;
  const pictures = new Uint8Array(good.length * length);
  for (const [index, { picture }] of good.entries()) pictures.set(picture.data, index * length);
  return {
    ...{ name: 'pictures to compare', pictures, labels: new Uint8Array(good.length), classNames: info.classNames },
    ...{ pictureShape: [size.height, size.width, 3], files: good.map(({ file }) => file), skipped: [] },
  };
}

/** Predicts the pictures on every device there is. @returns whether all agree with the reference */
async function comparePredictions(modelPath: string, directory: string, output: Output): Promise<boolean> {
  const model = await openModel(modelPath);
  const { size, info, path } = model;
  const { interpolation, rescale } = info.preprocessing;
  const pictures = await loadPictures([directory], {
    ...{ size, interpolation },
    onProgress: (done, total) => showProgress(() => `Loading pictures ${done}/${total}`),
  });
  const dataset = datasetOf(pictures, model);
  for (const picture of pictures) if ('error' in picture) note(`skipped: ${picture.error}`);
  if (dataset.files.length === 0) throw new UsageError(`${directory}: expected pictures that can be read, got none`);
  const length = dataset.pictures.length / dataset.files.length;
  const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  for (const [index, file] of dataset.files.entries())
    output.emit({ file, rgbSha256: hash(dataset.pictures.subarray(index * length, (index + 1) * length)) });
  const predict = async (device: Device): Promise<number[]> => {
    const opened = await openModel(path);
    compileModel(opened, device);
    const flow = new DataFlow(dataset, { shuffle: false, batchSize: 32, rescale });
    const probabilities = classProbabilities(opened, await opened.model.predict(flow)).flat();
    opened.model.destroy();
    device.destroy();
    return probabilities;
  };
  const expected = await predict(new ReferenceDevice());
  const names: DeviceName[] = (await listAdapters()).length > 0 ? ['cpu', 'webgpu'] : ['cpu'];
  const rows: [string, string, string][] = [];
  let agree = true;
  for (const name of names) {
    const device = await openDevice(name);
    const described = device.description.name;
    const got = await predict(device);
    const worst = Math.max(...got.map((value, i) => Math.abs(value - expected[i])));
    const good = worst <= PREDICTION_TOLERANCE;
    agree &&= good;
    rows.push([described, written(worst), good ? 'ok' : 'FAILED']);
    output.emit({ device: described, worstDifference: worst, tolerance: PREDICTION_TOLERANCE, passed: good });
  }
  output.say(`Model: ${path}`);
  output.say(
    `Pictures: ${dataset.files.length} of ${directory}, decoded to ${size.width}x${size.height}; SHA-256 of all pixels:`,
  );
  output.say(`  ${hash(dataset.pictures)}`);
  output.say(`Probabilities against the reference in float64, tolerance ${PREDICTION_TOLERANCE}:`);
  for (const line of table([['device', 'worst difference', 'verdict'], ...rows])) output.say(line);
  if (!agree) note('beltnet: the devices do not agree on the predictions');
  return agree;
}
