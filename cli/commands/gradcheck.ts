/** `beltnet gradcheck`: every op on the user's own device against float64, and a model on all devices. */
import { UsageError } from '../../src/errors.js';
import { checkNames, compareEverywhere, gradcheck as check, type CheckResult } from '../../src/index.node.js';
import { defineCommand, toggle, flag } from '../terminal/command.js';
import { deviceFlags } from '../terminal/common-flags.js';
import { describeDevice, withDevice } from '../terminal/device.js';
import { anyText } from '../terminal/options.js';
import { parityLines } from '../terminal/parity.js';
import { count, note, Output, showProgress, table } from '../terminal/output.js';

/** The exit code when a check fails. */
const CHECK_FAILED = 12;

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

/** Predicts the pictures on every device there is, prepared as the model was trained. @returns whether all agree with the reference */
async function comparePredictions(given: string, directory: string, output: Output): Promise<boolean> {
  const parity = await compareEverywhere(given, directory, {
    onProgress: (done, total) => showProgress(() => `Loading pictures ${done}/${total}`),
  });
  for (const line of parity.notes) note(line);
  for (const { file, sha256 } of parity.pixels) output.emit({ file, rgbSha256: sha256 });
  for (const { way, worstDifference, passed } of parity.ways)
    output.emit({ device: way, worstDifference, tolerance: parity.tolerance, passed });
  for (const line of parityLines(parity, directory)) output.say(line);
  if (!parity.passed) note('beltnet: the devices do not agree on the predictions');
  return parity.passed;
}
