/** The commands on tiny pictures, from training to predictions, run as users run them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesOf, overflowing } from '../classifier/tiny-model.js';
import { noteDevice } from '../support/devices.js';
import {
  beltnet,
  beltnetWorks,
  finishedRunFiles,
  noisyPng,
  startBeltnet,
  writeClasses,
  writeFiles,
  type Finished,
} from './run-beltnet.js';

let cwd: string;
const small = ['--size', '32x32', '--batch', '6', '--device', 'cpu'];

function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

beforeAll(async () => {
  noteDevice('cpu');
  cwd = mkdtempSync(join(tmpdir(), 'beltnet-cli-'));
  writeClasses(join(cwd, 'belt/training_set'), 16);
  writeClasses(join(cwd, 'belt/test_set'), 8);
  writeClasses(join(cwd, 'loose'), 20);
  await beltnetWorks(
    ['train', 'belt', ...small, '--epochs', '3', '--name', 'first', '--alert-class', 'dark', '--horizontal-flip'],
    { cwd },
  );
});

afterAll(() => rmSync(cwd, { recursive: true, force: true }));

describe('train', () => {
  test("prints what it found and Keras' two lines an epoch, and writes the run", async () => {
    const options = [
      ...small,
      '--epochs',
      '2',
      '--name',
      'second',
      '--shear',
      '0.2',
      '--zoom',
      '0.2',
      '--hold-back',
      '0.25',
    ];
    const { code, stdout, stderr } = await beltnet(['train', 'belt', ...options], { cwd });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toContain(
      'Found 12 images belonging to 2 classes.\nFound 4 images belonging to 2 classes.\nFound 8 images belonging to 2 classes.\n',
    );
    expect(stdout).toContain('bright = 0 (6 pictures), dark = 1 (6 pictures)');
    expect(stdout).toContain('0.25 of it held back for validation, belt/test_set left for evaluate');
    expect(stdout).toContain('Device: cpu');
    expect(stdout).toContain('157,857 parameters');
    expect(stdout).toMatch(
      /Epoch 1\/2\n - \d+s - loss: \S+ - acc: \S+ - val_loss: \S+ - val_acc: \S+ - missed: \d\/2\nEpoch 2\/2\n - \d+s - loss: .*\n/,
    );
    expect(stdout).toMatch(/beltnet evaluate \S+best\.safetensors belt\n.*beltnet predict \S+best\.safetensors/);
    expect(stderr).toContain("'dark' raises the alert");
    expect(stderr).toContain('--alert-class bright');
    expect(stderr).toContain('--shear 0.2rad');
    expect(stderr).not.toContain('\u001b');

    expect(readdirSync(join(cwd, 'runs/second')).toSorted()).toEqual(finishedRunFiles);
    const results = readFileSync(join(cwd, 'runs/second/results.csv'), 'utf8').split('\n');
    expect(results[0]).toBe(
      'epoch,loss,accuracy,valLoss,valAccuracy,seconds,balancedAccuracy,missedAlerts,learningRate,rocAuc,alertPictures',
    );
    expect(results.slice(1).map((row) => row.split(',').length)).toEqual([11, 11, 1]);
    const config = JSON.parse(readFileSync(join(cwd, 'runs/second/config.json'), 'utf8')) as unknown;
    expect(config).toMatchObject({
      ...{ beltnet: expect.any(String), node: process.version, parameters: 157857, classes: { bright: 0, dark: 1 } },
      data: {
        directory: 'belt',
        training: { pictures: 12, classes: { bright: 6, dark: 6 } },
        validation: { pictures: 4 },
        test: { pictures: 8 },
      },
      chosen: { what: ['best epoch'], on: 'held back', pictures: 4 },
      options: {
        batch: 6,
        epochs: 2,
        stepsPerEpoch: 2,
        validationSteps: 1,
        holdBack: 0.25,
        seed: 0,
        zoom: [0.8, 1.2],
        horizontalFlip: false,
      },
      augmentation: { profile: 'keras-2', shearRange: 0.2 },
      optimizer: { name: 'adam', epsilon: 1e-7 },
      loss: { form: 'logits' },
      alert: { className: 'dark', threshold: 0.5 },
      device: { kind: 'cpu', reason: 'asked for' },
    });
  });

  test('--json: nothing but one object a line on stdout; --split, --profile and the number of steps', async () => {
    const data = ['loose', '--split', '0.2', '--name', 'json', '--json'];
    const steps = ['--epochs', '2', '--steps-per-epoch', '5', '--validation-steps', '1', '--shear', '12deg'];
    const options = [...small, ...data, ...steps, '--profile', 'keras-2.1.2', '--alert-class', 'bright'];
    const [start, first, second, end, ...rest] = jsonLines(await beltnetWorks(['train', ...options], { cwd }));
    expect(rest).toEqual([]);
    expect(start).toMatchObject({
      ...{ event: 'start', classes: { bright: 0, dark: 1 }, alert: { className: 'bright' } },
      data: { training: { pictures: 16 }, validation: { pictures: 4 } },
    });
    for (const [index, epoch] of [first, second].entries()) {
      expect(epoch).toEqual({
        ...{ event: 'epoch', epoch: index + 1, seconds: expect.any(Number) },
        ...{ loss: expect.any(Number), accuracy: expect.any(Number) },
        ...{ valLoss: expect.any(Number), valAccuracy: expect.any(Number), learningRate: expect.closeTo(0.001) },
        ...{ balancedAccuracy: expect.any(Number), missedAlerts: expect.any(Number), alertPictures: 2 },
        rocAuc: expect.any(Number),
      });
    }
    expect(end).toMatchObject({ event: 'end', epochs: 2, interrupted: false, model: expect.stringContaining('json') });
    expect(JSON.parse(readFileSync(join(cwd, 'runs/json/config.json'), 'utf8'))).toMatchObject({
      optimizer: { epsilon: 1e-8 },
      loss: { form: 'keras3' },
      augmentation: { profile: 'keras-2.1.2', shearRange: expect.closeTo(0.20944, 5) },
    });
  });

  test('--validate-on-test: all train, the test chooses, and the run says so', async () => {
    const options = [...small, '--epochs', '1', '--name', 'insisted', '--validate-on-test', '--early-stopping', '3'];
    const { code, stderr } = await beltnet(['train', 'belt', ...options], { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('it can no longer judge the model') });
    expect(JSON.parse(readFileSync(join(cwd, 'runs/insisted/config.json'), 'utf8'))).toMatchObject({
      data: { training: { pictures: 16 }, validation: { pictures: 8 }, test: null },
      chosen: { what: ['best epoch', 'last epoch'], on: 'test', pictures: 8 },
    });
    const rows = readFileSync(join(cwd, 'runs/insisted/predictions.csv'), 'utf8').trimEnd().split('\n');
    expect(rows.filter((row) => row.split(',')[2] === 'validation')).toHaveLength(8);
  });

  test('--profile-kernels: the time of a step, kernel by kernel, and the model as without', async () => {
    const train = (name: string, ...options: string[]) =>
      beltnetWorks(['train', 'belt', ...small, '--epochs', '1', '--name', name, ...options], { cwd });
    const profiled = await train('profiled', '--profile-kernels');
    expect(profiled).toMatch(/^A training step of \d+ pictures, kernel by kernel: \d+\.\d\d ms in all$/m);
    expect(profiled).toMatch(
      /^conv2dMaxPool2d +\S+ · 3×3×3×32 +1 +\d+\.\d{3} +\S+ % +\d+\.\d +\S+ % +\d+\.\d +\S+ %$/m,
    );
    expect(profiled).toMatch(/^Measured peak: \d+ GFLOP\/s in registers, \d+\.\d GB\/s to memory/m);
    await train('not-profiled');
    const model = (name: string) => readFileSync(join(cwd, `runs/${name}/last.safetensors`));
    expect(model('profiled').equals(model('not-profiled'))).toBe(true);
    const events = jsonLines(await train('profiled-json', '--profile-kernels', '--json'));
    expect(events.find(({ event }) => event === 'profile')).toMatchObject({
      kernels: expect.arrayContaining([expect.objectContaining({ kernel: 'adam', launches: 1 })]),
    });
  });

  test('same seed, same device: the same model bit by bit; another seed: another', async () => {
    const train = (name: string, seed: string) =>
      beltnetWorks(['train', 'belt', ...small, '--epochs', '1', '--zoom', '0.2', '--name', name, '--seed', seed], {
        cwd,
      });
    await Promise.all([train('seed-7', '7'), train('seed-7-again', '7')]);
    await train('seed-8', '8');
    const model = (name: string) => readFileSync(join(cwd, `runs/${name}/last.safetensors`));
    expect(model('seed-7').equals(model('seed-7-again'))).toBe(true);
    expect(model('seed-7').equals(model('seed-8'))).toBe(false);
  });

  test('a run without a name gets one of its own each time; without validation the log is shorter', async () => {
    const once = () => beltnetWorks(['train', 'loose', ...small, '--epochs', '1', '--out', 'new runs'], { cwd });
    const outputs = await Promise.all([once(), once()]);
    expect(readdirSync(join(cwd, 'new runs'))).toHaveLength(2);
    for (const output of outputs) expect(output).toMatch(/\n - \d+s - loss: \S+ - acc: \S+\n/);
    expect(outputs[0]).toMatch(/beltnet evaluate ['"]new runs/);
  });

  test('a bad picture is named and left out, or stops the run before it has a folder', async () => {
    writeClasses(join(cwd, 'spoilt'), 8);
    writeFiles(join(cwd, 'spoilt'), { 'dark/bad.png': 'not a picture' });
    const options = ['train', 'spoilt', ...small, '--epochs', '1'];
    const skipped = await beltnet([...options, '--name', 'skip'], { cwd });
    expect(skipped.code).toBe(0);
    expect(skipped.stdout).toContain('Found 8 images');
    expect(skipped.stderr).toMatch(/^skipped: spoilt\/dark\/bad\.png: /m);
    const config = JSON.parse(readFileSync(join(cwd, 'runs/skip/config.json'), 'utf8')) as unknown;
    expect(config).toMatchObject({ data: { training: { skipped: [{ file: 'spoilt/dark/bad.png' }] } } });

    const failed = await beltnet([...options, '--name', 'fail', '--on-bad', 'fail'], { cwd });
    expect(failed.code).toBe(3);
    expect(failed.stderr).toMatch(/^beltnet: spoilt\/dark\/bad\.png: .*\n$/m);
    expect(readdirSync(join(cwd, 'runs'))).not.toContain('fail');
  });
});

describe('evaluate', () => {
  test('of a divided set it takes the test pictures, and says so', async () => {
    const output = await beltnetWorks(['evaluate', 'runs/first/best.safetensors', 'belt', '--device', 'cpu'], { cwd });
    expect(output).toContain('Data: belt/test_set');
    expect(output).toMatch(/pictures +loss +accuracy\n8 /);
    expect(output).toMatch(/bright +\d +4  [\d. ]+\ndark +\d +4  [\d. ]+\n/);
    expect(output).toMatch(/Alert 'dark' .*: \d of 4 pictures missed, \d false alarms? on the other 4/);
  });

  test('--json, on class folders: counts agree with the accuracy', async () => {
    const [result] = jsonLines(
      await beltnetWorks(['evaluate', 'runs/first', 'belt/training_set', '--json', '--device', 'cpu'], { cwd }),
    );
    const { classes, accuracy } = result as { classes: Record<string, { correct: number }>; accuracy: number };
    expect(result).toMatchObject({
      ...{ data: 'belt/training_set', pictures: 16, loss: expect.any(Number), skipped: [] },
      classes: { bright: { pictures: 8 }, dark: { pictures: 8 } },
      alert: { class: 'dark', threshold: 0.5, missed: expect.any(Number), falseAlarms: expect.any(Number) },
    });
    expect((classes['bright'].correct + classes['dark'].correct) / 16).toBe(accuracy);
  });

  test('--split takes the pictures that train kept for validation: the figures are the same', async () => {
    const split = ['--split', '0.2', '--seed', '3'];
    await beltnetWorks(['train', 'loose', ...small, ...split, '--epochs', '1', '--name', 'split'], { cwd });
    const [, , , valLoss] = readFileSync(join(cwd, 'runs/split/results.csv'), 'utf8').split('\n')[1].split(',');
    const [result] = jsonLines(
      await beltnetWorks(['evaluate', 'runs/split', 'loose', ...split, '--json', '--device', 'cpu'], { cwd }),
    );
    expect(result['pictures']).toBe(4);
    expect(result['loss']).toBeCloseTo(Number(valLoss), 5);
  });

  test('other classes than the model has: both are named', async () => {
    writeFiles(join(cwd, 'other'), { 'left/a.png': noisyPng('dark', 1), 'right/a.png': noisyPng('dark', 2) });
    const { code, stderr } = await beltnet(['evaluate', 'runs/first', 'other', '--device', 'cpu'], { cwd });
    expect(code).toBe(3);
    expect(stderr).toMatch(/^beltnet: other: expects the classes of .* \(bright, dark\), got left, right; /);
  });
});

describe('predict', () => {
  test('text: a table, sorted by path', async () => {
    const paths = ['belt/test_set/dark', 'belt/test_set/bright/*.png'];
    const output = await beltnetWorks(['predict', 'runs/first', ...paths, '--device', 'cpu'], { cwd });
    const [header, ...rows] = output.trimEnd().split('\n');
    expect(header).toMatch(/^file +class +probability +alert$/);
    expect(rows).toHaveLength(8);
    expect(rows.map((row) => row.split(' ')[0])).toEqual(rows.map((row) => row.split(' ')[0]).toSorted());
    // These pictures are copies of those for training.
    for (const row of rows) expect(row).toMatch(/^\S+\.png +(bright +0\.\d{4} +-|dark +0\.\d{4} +ALERT) +in training$/);
  });

  test('--json: full precision, and bad files between the good ones', async () => {
    const paths = ['spoilt/dark', 'spoilt/bright/000.png', 'missing.png'];
    writeFiles(join(cwd, 'spoilt'), { 'dark/bad.png': 'not a picture', 'bright/000.png': noisyPng('bright', 0) });
    const { code, stdout } = await beltnet(['predict', 'runs/first', ...paths, '--json', '--device', 'cpu'], { cwd });
    expect(code).toBe(3);
    const lines = jsonLines(stdout);
    expect(lines.map(({ file }) => file)).toEqual(lines.map(({ file }) => String(file)).toSorted());
    expect(lines.filter((line) => 'error' in line)).toEqual([
      { file: 'missing.png', error: expect.stringContaining('missing.png') },
      { file: 'spoilt/dark/bad.png', error: expect.stringContaining('bad.png') },
    ]);
    for (const line of lines.filter((one) => !('error' in one))) {
      const {
        probabilities,
        class: predicted,
        probability,
        alert,
      } = line as unknown as {
        probabilities: Record<'bright' | 'dark', number>;
        class: 'bright' | 'dark';
        probability: number;
        alert: boolean;
      };
      const keys = ['file', 'class', 'probability', 'probabilities', 'alert', 'faults', 'inTraining', 'pixels'];
      expect(Object.keys(line)).toEqual(keys);
      expect(Math.fround(probabilities.dark)).toBe(probabilities.dark);
      expect(probabilities.bright).toBe(1 - probabilities.dark);
      expect(predicted).toBe(probabilities.dark > 0.5 ? 'dark' : 'bright');
      expect(probability).toBe(probabilities[predicted]);
      expect(alert).toBe(probabilities.dark >= 0.5);
    }
  });

  test('--csv: quoted where it must be; in text the bad file goes to stderr', async () => {
    writeFiles(join(cwd, 'odd'), { 'a, "b".png': noisyPng('dark', 555), 'bad.png': 'x' });
    const [csv, text] = await Promise.all([
      beltnet(['predict', 'runs/first', 'odd', '--csv', '--device', 'cpu'], { cwd }),
      beltnet(['predict', 'runs/first', 'odd', '--device', 'cpu'], { cwd }),
    ]);
    const [header, good, bad] = csv.stdout.split('\n');
    expect(header).toBe('file,class,probability,alert,error,unlike,unknown,inTraining,faults,pixels');
    expect(good).toMatch(/^"odd\/a, ""b""\.png",(bright|dark),0\.\d+,(true|false),,,,(true|false),.*$/);
    expect(good).toMatch(/,[1-9]\d+$/);
    expect(bad).toMatch(/^odd\/bad\.png,,,,"?odd\/bad\.png: .*,,,,,$/);
    expect(csv.code).toBe(3);
    expect(text.code).toBe(3);
    expect(text.stdout).toContain('odd/a, "b".png');
    expect(text.stderr).toMatch(/^beltnet: odd\/bad\.png: .*\n$/);
  });

  test('of standard input: one picture, or paths; --exit-code: 10 for an alert, which outranks a bad picture', async () => {
    writeFiles(join(cwd, 'in'), { 'new.png': noisyPng('dark', 77), 'bad.png': 'x' });
    const run = (input: string | Uint8Array, ...args: string[]): Promise<Finished> => {
      const { child, finished } = startBeltnet(['predict', 'runs/first', ...args, '--device', 'cpu'], { cwd });
      child.stdin?.end(input);
      return finished;
    };
    const [one, some, refused] = await Promise.all([
      run(noisyPng('dark', 77), '-', '--json', '--exit-code'),
      run('in/new.png\0in/bad.png\0belt/training_set/dark/001.png\0', '--files-from', '-', '--csv', '--exit-code'),
      run('', '-', 'in'),
    ]);
    expect(one.code).toBe(10);
    expect(jsonLines(one.stdout)).toEqual([
      expect.objectContaining({ file: 'standard input', alert: true, inTraining: false }),
    ]);
    expect(some.code).toBe(10);
    expect(some.stdout).toMatch(/^belt\/training_set\/dark\/001\.png,dark,.*,true,.*$/m);
    expect(some.stdout).toMatch(/^in\/new\.png,dark,.*,false,.*$/m);
    expect(some.stderr).toBe('warning: 1 of 3 pictures was in training: what is said of them is not evidence\n');
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('expects nothing beside the picture')]);
  });

  test('the same model on webgpu and on the cpu: within 1e-4', async () => {
    noteDevice('webgpu');
    const on = async (device: string) =>
      jsonLines(await beltnetWorks(['predict', 'runs/first', 'loose', '--json', '--device', device], { cwd })).map(
        ({ probabilities }) => (probabilities as { dark: number }).dark,
      );
    const [gpu, cpu] = [await on('webgpu'), await on('cpu')];
    expect(gpu).toHaveLength(20);
    expect(Math.max(...gpu.map((p, index) => Math.abs(p - cpu[index])))).toBeLessThan(1e-4);
  });
});

describe('scores that are no numbers', () => {
  test('end with 7, which outranks 3; in JSON, CSV and text they are errors, never "no alert"', async () => {
    const bright = noisyPng('bright', 1);
    writeFiles(cwd, { 'broken.safetensors': await bytesOf(await overflowing()) });
    writeFiles(cwd, {
      'see/a.png': bright,
      'see/b.png': 'no picture',
      'set/gap/a.png': bright,
      'set/ok/a.png': noisyPng('bright', 2),
    });
    const run = (command: string, folder: string, ...args: string[]) =>
      beltnet([command, 'broken.safetensors', folder, '--device', 'cpu', ...args], { cwd });
    const json = await run('predict', 'see', '--json', '--exit-code');
    expect(json.code).toBe(7);
    expect(jsonLines(json.stdout)).toEqual([
      {
        file: 'see/a.png',
        error: expect.stringMatching(/^see\/a\.png: expects probabilities, got NaN, so there is no verdict/),
      },
      { file: 'see/b.png', error: expect.stringContaining('b.png') },
    ]);
    const csv = await run('predict', 'see', '--csv');
    expect(csv.code).toBe(7);
    expect(csv.stdout).toMatch(/^see\/a\.png,,,,"see\/a\.png: expects probabilities, got NaN/m);
    expect(csv.stdout + json.stdout).not.toMatch(/undefined|null|false/);
    const text = await run('predict', 'see');
    expect([text.code, text.stdout]).toEqual([7, '']);
    const evaluated = await run('evaluate', 'set', '--json');
    expect(evaluated.code).toBe(7);
    const [figures] = jsonLines(evaluated.stdout);
    expect(figures).not.toHaveProperty('loss');
    expect(figures).toMatchObject({ unjudged: [{ file: 'set/gap/a.png' }, { file: 'set/ok/a.png' }] });
    expect((await run('evaluate', 'set')).code).toBe(7);
  });
});

describe('more than two classes', () => {
  test('train, evaluate and predict with a probability for each', async () => {
    writeClasses(join(cwd, 'three'), 12);
    writeFiles(join(cwd, 'three'), {
      'small/a.png': noisyPng('bright', 90, 8, 8),
      'small/b.png': noisyPng('dark', 91, 8, 8),
      'small/c.png': noisyPng('bright', 92, 8, 8),
    });
    const options = [...small, '--epochs', '2', '--name', 'three', '--alert-class', 'small'];
    const training = await beltnetWorks(['train', 'three', ...options], { cwd });
    expect(training).toContain('Found 15 images belonging to 3 classes.');
    const text = await beltnetWorks(['evaluate', 'runs/three', 'three', '--device', 'cpu'], { cwd });
    expect(text).toMatch(/taken for +bright +dark +small\nbright +\d/);
    expect(text).toMatch(/At every threshold: ROC-AUC [01]\.\d+, average precision [01]\.\d+/);
    const [figures] = jsonLines(
      await beltnetWorks(['evaluate', 'runs/three', 'three', '--json', '--device', 'cpu'], { cwd }),
    );
    expect(figures).toMatchObject({
      classes: { small: { pictures: 3, takenFor: { bright: expect.any(Number) }, f1: expect.any(Number) } },
      alert: { class: 'small', rocAuc: expect.any(Number) },
    });
    const [one] = jsonLines(
      await beltnetWorks(['predict', 'runs/three', 'three/small/a.png', '--json', '--device', 'cpu'], { cwd }),
    );
    const probabilities = one['probabilities'] as Record<string, number>;
    expect(Object.keys(probabilities)).toEqual(['bright', 'dark', 'small']);
    expect(Object.values(probabilities).reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    expect(one['probability']).toBe(Math.max(...Object.values(probabilities)));
    expect(one['class']).toBe(Object.keys(probabilities).find((name) => probabilities[name] === one['probability']));
  });
});

describe('the other commands', () => {
  test('synth makes the same pictures from the same seed, ready to train on', async () => {
    const synth = (folder: string) =>
      beltnetWorks(['synth', folder, '--count', '8', '--size', '48x36', '--seed', '5'], { cwd });
    await Promise.all([synth('made'), synth('made-again')]);
    const files = readdirSync(join(cwd, 'made'), { recursive: true }).map(String).toSorted();
    expect(files).toEqual(expect.arrayContaining(['training_set', 'test_set']));
    const pictures = files.filter((file) => /\.(png|jpg)$/.test(file));
    expect(pictures).toHaveLength(8);
    for (const file of pictures) {
      expect(readFileSync(join(cwd, 'made', file)).equals(readFileSync(join(cwd, 'made-again', file)))).toBe(true);
    }
  });

  test('devices lists adapters, the cpu and what auto takes', async () => {
    const text = await beltnetWorks(['devices'], { cwd });
    expect(text).toMatch(/^webgpu {2}.*(hardware|software)/);
    expect(text).toMatch(/^cpu /m);
    expect(text).toMatch(/--device auto takes \S.*: \S/);
    const [json] = jsonLines(await beltnetWorks(['devices', '--json'], { cwd }));
    expect(json).toMatchObject({
      cpu: { kind: 'cpu' },
      auto: { device: expect.any(String), reason: expect.any(String) },
    });
    expect(json['adapters']).toEqual(expect.arrayContaining([expect.objectContaining({ vendor: expect.any(String) })]));
  });

  test('help shows defaults and an example; the version is the package’s', async () => {
    const help = await beltnetWorks(['train', '--help'], { cwd });
    expect(help).toMatch(/--size <WxH>.*\n?.*default: 64x64/);
    expect(help).toContain('Examples:\n  beltnet train');
    const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    const { version } = JSON.parse(manifest) as { version: string };
    expect(await beltnetWorks(['--version'], { cwd })).toBe(`${version}\n`);
  });
});
