/** `beltnet gradcheck`: every op on the user's own device against float64, and a model on all devices. */
import { createHash } from 'node:crypto';
import { UsageError } from '../../src/errors.js';
import {
  checkNames,
  gradcheck as check,
  listAdapters,
  loadClassifier,
  loadPictures,
  ReferenceDevice,
  type CheckResult,
  type DeviceName,
} from '../../src/index.node.js';
import { defineCommand, toggle, flag } from '../terminal/command.js';
import { deviceFlags } from '../terminal/common-flags.js';
import { describeDevice, withDevice } from '../terminal/device.js';
import { anyText } from '../terminal/options.js';
import { count, note, Output, showProgress, table } from '../terminal/output.js';

/** The exit code when a check fails. */
const CHECK_FAILED = 12;

/** Most that a probability may differ between devices. */
const PREDICTION_TOLERANCE = 1e-4;

export const command = defineCommand({
  operands: { '[dir]': 'pictures for --model' },
  flags: {
    ...deviceFlags,
    op: flag('<name>', 'only this operation or kernel, or network', anyText),
    model: flag('<model>', 'also compare what all devices predict for the pictures of <dir>', anyText),
    json: toggle('one JSON object a line on stdout'),
  },
  notes: 'The exit code is 12 when a check fails.',
  examples: ['beltnet gradcheck --device webgpu', 'beltnet gradcheck --op conv2d --model runs/first belt/test_set'],
  async run([directory], options) {
    const output = new Output(options);
    const { op: name, model } = options;
    if (model === undefined && directory !== undefined)
      throw new UsageError(`gradcheck: expects --model MODEL with the folder ${directory}, got none`);
    if (model !== undefined && directory === undefined)
      throw new UsageError('gradcheck: expects a folder of pictures with --model, got none');
    if (name !== undefined && !checkNames().includes(name))
      throw new UsageError(`--op: expects one of ${checkNames().join(', ')}, got '${name}'`);
    const results = await withDevice({ ...options, subgroups: true }, async (device, facts) => {
      output.say(`Device: ${describeDevice(facts)}`);
      output.emit({ device: facts });
      const found: CheckResult[] = [];
      // A software driver takes up to 0.1 s to compile each shader anew for each shape.
      const isSoftware = facts.adapter?.kind === 'software';
      const cases = isSoftware && name === undefined ? 1 : 3;
      for await (const result of check(device, { name, cases })) {
        found.push(result);
        output.emit(result);
        showProgress(() => `Checked ${result.kind} ${result.name}`);
      }
      return found;
    });
    for (const line of report(results)) output.say(line);
    const failed = results.filter(({ passed }) => !passed).length;
    const agree =
      model === undefined || directory === undefined || (await comparePredictions(model, directory, output));
    output.emit({ event: 'end', checks: results.length, failed, predictionsAgree: model === undefined ? null : agree });
    if (failed > 0) note(`beltnet: ${failed} of ${count(results.length, 'check')} failed`);
    return failed === 0 && agree ? 0 : CHECK_FAILED;
  },
});

const written = (error: number): string => (error === 0 ? '0' : error.toExponential(1));
const verdict = ({ passed }: CheckResult): string => (passed ? 'ok' : 'FAILED');

/** Ops with their gradients first, then the kernels, then the network; what failed again at the end, in words. */
function report(results: readonly CheckResult[]): string[] {
  const rows = (kind: CheckResult['kind']) =>
    results
      .filter((result) => result.kind === kind)
      .map((result) => [
        result.name,
        written(result.forward),
        Object.values(result.gradients).map(written).join(' ') || '-',
        result.difference === null ? '-' : written(result.difference),
        written(result.tolerance),
        verdict(result),
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
          `gradient of ${name}`,
          written(error),
          written(result.tolerance),
          error <= result.tolerance ? 'ok' : 'FAILED',
        ]),
      ]),
    ]),
    '',
    ...results.flatMap(({ kind, name, where }) => (where === null ? [] : [`FAILED ${kind} ${name}: ${where}`])),
  ];
}

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Predicts the pictures on every device there is, prepared as the model was trained. @returns whether all agree with the reference */
async function comparePredictions(given: string, directory: string, output: Output): Promise<boolean> {
  const reference = await loadClassifier(given, { device: new ReferenceDevice() });
  const { name: path, preparation } = reference;
  const { size } = preparation.picture;
  const loaded = await loadPictures([directory], {
    ...preparation.picture,
    onProgress: (done, total) => showProgress(() => `Loading pictures ${done}/${total}`),
  });
  for (const picture of loaded) if ('error' in picture) note(`skipped: ${picture.error}`);
  const good = loaded.filter((picture) => 'picture' in picture);
  if (good.length === 0) throw new UsageError(`${directory}: expects pictures that can be read, got none`);
  for (const { file, picture } of good) output.emit({ file, rgbSha256: hash(picture.data) });
  const pictures = new Uint8Array(Buffer.concat(good.map(({ picture }) => picture.data)));
  const expected = (await reference.predict(pictures)).flatMap(({ probabilities }) => probabilities);
  await reference.destroy();
  const names: DeviceName[] = (await listAdapters()).length > 0 ? ['cpu', 'webgpu'] : ['cpu'];
  const rows: [string, string, string][] = [];
  let agree = true;
  for (const name of names) {
    const classifier = await loadClassifier(given, { device: name });
    const described = classifier.device.description.name;
    const got = (await classifier.predict(pictures)).flatMap(({ probabilities }) => probabilities);
    await classifier.destroy();
    const worst = largest(got.map((value, i) => Math.abs(value - expected[i])));
    const isGood = worst <= PREDICTION_TOLERANCE;
    agree &&= isGood;
    rows.push([described, written(worst), isGood ? 'ok' : 'FAILED']);
    output.emit({ device: described, worstDifference: worst, tolerance: PREDICTION_TOLERANCE, passed: isGood });
  }
  output.say(`Model: ${path}`);
  output.say(
    `Pictures: ${good.length} of ${directory}, decoded to ${size.width}x${size.height}; SHA-256 of all pixels:`,
  );
  output.say(`  ${hash(pictures)}`);
  output.say(`Probabilities against the reference in float64, tolerance ${PREDICTION_TOLERANCE}:`);
  for (const line of table([['device', 'worst difference', 'verdict'], ...rows])) output.say(line);
  if (!agree) note('beltnet: the devices do not agree on the predictions');
  return agree;
}

/** NaN where there is one: that is no agreement. */
const largest = (values: readonly number[]): number =>
  values.reduce((most, value) => (value > most || Number.isNaN(value) ? value : most), 0);
