/** What the commands make of data: cache, manifests, practice sets, groups, audit. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decode } from '../../src/data/pictures/decode.js';
import { noteDevice } from '../support/devices.js';
import { beltnet, beltnetWorks, noisyPng, writeClasses, writeFiles } from './run-beltnet.js';

let cwd: string;
const short = ['--size', '16x16', '--batch', '8', '--device', 'cpu', '--epochs', '1', '--alert-class', 'dark'];

beforeAll(() => {
  noteDevice('cpu');
  cwd = mkdtempSync(join(tmpdir(), 'beltnet-cli-data-'));
  writeClasses(join(cwd, 'loose'), 48);
  writeClasses(join(cwd, 'divided/train'), 16);
  writeClasses(join(cwd, 'divided/test'), 8); // the same pictures again
});

afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const weights = (run: string): Buffer => readFileSync(join(cwd, 'runs', run, 'last.safetensors'));

describe('the cache', () => {
  test('changes no result, and is where it was asked for', async () => {
    const train = (name: string, ...options: string[]) =>
      beltnetWorks(['train', 'loose', ...short, '--split', '0.25', '--name', name, ...options], { cwd });
    await train('plain', '--no-cache');
    expect(existsSync(join(cwd, 'kept'))).toBe(false);
    await train('cold', '--cache', 'kept');
    expect(readdirSync(join(cwd, 'kept'))).toContain('pictures');
    await train('warm', '--cache', 'kept');
    expect(weights('cold')).toEqual(weights('plain'));
    expect(weights('warm')).toEqual(weights('plain'));
  });

  test('is refused among the pictures', async () => {
    const { code, stderr } = await beltnet(['train', 'loose', ...short, '--cache', 'loose/cache'], { cwd });
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^beltnet: --cache: expects a folder outside of the pictures' own \(loose\), got 'loose\/cache'/,
    );
    const byDefault = await beltnet(['train', 'loose', ...short, '--name', 'inside'], {
      cwd,
      environment: { BELTNET_CACHE: join(cwd, 'loose/cache') },
    });
    expect(byDefault.code).toBe(2); // it was named, too
    expect(byDefault.stderr).toMatch(
      /^beltnet: BELTNET_CACHE: expects a folder outside of the pictures' own \(loose\)/m,
    );
    expect(readdirSync(join(cwd, 'loose'))).toEqual(['bright', 'dark']);
  });
});

describe('data that is no folder of classes', () => {
  test('a manifest trains and is evaluated; its groups stay together', async () => {
    const files = readdirSync(join(cwd, 'loose'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.png'),
    );
    const rows = files.map((name, i) => `loose/${name},${name.split(/[\\/]/)[0]},shift${i % 6}`);
    writeFiles(cwd, { 'set.csv': `path,label,group\n${rows.join('\n')}\n` });
    const stdout = await beltnetWorks(['train', 'set.csv', ...short, '--split', '0.3', '--name', 'table'], { cwd });
    expect(stdout).toContain(
      'Data: set.csv, 0.3 of it for validation, 6 groups kept together: 32 pictures for training, 16 for validation',
    );
    const result = JSON.parse(
      await beltnetWorks(['evaluate', 'runs/table', 'set.csv', '--split', '0.3', '--device', 'cpu', '--json'], { cwd }),
    ) as object;
    expect(result).toMatchObject({ data: 'set.csv', pictures: 16 });
  });

  test('a practice set trains and is predicted', async () => {
    const idx = (shape: number[], values: number[]): Buffer => {
      const header = Buffer.alloc(4 + 4 * shape.length);
      header.writeUInt16BE(0x0800 + shape.length, 2);
      shape.forEach((side, axis) => header.writeUInt32BE(side, 4 + 4 * axis));
      return Buffer.concat([header, Buffer.from(values)]);
    };
    const labels = Array.from({ length: 32 }, (_, i) => i % 2);
    const pixels = labels.flatMap((label, i) =>
      Array.from({ length: 144 }, (_, at) => (label ? 200 : 40) + ((i * 31 + at * 7) % 50)),
    );
    writeFiles(cwd, {
      'digits/train-images-idx3-ubyte': idx([32, 12, 12], pixels),
      'digits/train-labels-idx1-ubyte': idx([32], labels),
    });
    const options = [...short.slice(0, -2), '--alert-class', '1', '--split', '0.25', '--name', 'digits'];
    expect(await beltnetWorks(['train', 'digits', ...options], { cwd })).toContain(
      '0 = 0 (12 pictures), 1 = 1 (12 pictures)',
    );
    const lines = (await beltnetWorks(['predict', 'runs/digits', 'digits', '--device', 'cpu', '--json'], { cwd }))
      .trimEnd()
      .split('\n');
    expect(lines).toHaveLength(32);
    expect(JSON.parse(lines[10])).toMatchObject({ file: 'digits/train-images-idx3-ubyte#10' });
  });

  test('--group-by needs a split and a regular expression', async () => {
    const refused = async (...args: string[]) => (await beltnet(['train', 'loose', ...short, ...args], { cwd })).stderr;
    expect(await refused('--group-by', '(')).toMatch(/--group-by: expects a regular expression/);
    expect(await refused('--group-by', 'x', '--hold-back', '0')).toMatch(/add --split 0.2/);
    expect(await refused('--group-by', 'x')).toMatch(/expects a path that matches/); // for what is held back
  });
});

test('predict streams: results come in order of the paths, bad files in their place, on every worker count', async () => {
  const files = Object.fromEntries(
    Array.from({ length: 150 }, (_, i) => [
      `stream/${String(i).padStart(3, '0')}.png`,
      i % 50 === 7 ? 'bad' : noisyPng(i % 2 ? 'dark' : 'bright', i),
    ]),
  );
  writeFiles(cwd, files);
  await beltnetWorks(['train', 'loose', ...short, '--name', 'streaming'], { cwd });
  const run = async (workers: string) => {
    const args = [
      'predict',
      'runs/streaming',
      'stream',
      '--device',
      'cpu',
      '--json',
      '--batch',
      '16',
      '--workers',
      workers,
    ];
    const { code, stdout } = await beltnet(args, { cwd });
    expect(code).toBe(3);
    return stdout;
  };
  const lines = await run('0');
  expect(await run('2')).toBe(lines);
  const results = lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { file: string; error?: string; class?: string });
  expect(results.map(({ file }) => file)).toEqual(Object.keys(files));
  expect(results.flatMap(({ file, error }) => (error ? [file.slice(7, 10)] : []))).toEqual(['007', '057', '107']);
});

describe('audit', () => {
  test('says what training would suffer from, and shows it', async () => {
    const { code, stdout } = await beltnet(['audit', 'divided', '--sheet', 'audit.png'], { cwd });
    expect(code).toBe(0);
    expect(stdout).toMatch(/divided\/train +training +16 +16 +16 +bright 8, dark 8\n/);
    expect(stdout).toContain(
      '1. problem, leak: divided/train and divided/test share 8 pictures: 8 files of divided/test are in divided/train too',
    );
    expect(stdout).toContain('- divided/train/bright/000.png, divided/test/bright/000.png');
    expect(stdout).toContain('Contact sheet: audit.png');
    const sheet = decode(readFileSync(join(cwd, 'audit.png')), 'audit.png');
    expect(sheet.height).toBeGreaterThan(100);
    const sheetExists = await beltnet(['audit', 'divided', '--sheet', 'audit.png'], { cwd });
    expect([sheetExists.code, sheetExists.stderr]).toEqual([2, expect.stringContaining('--sheet: expects a new file')]);
  });

  test('--strict: exit code 11 for findings, 0 for none; --json', async () => {
    const { code, stdout } = await beltnet(['audit', 'divided', '--strict', '--json'], { cwd });
    expect(code).toBe(11);
    const report = JSON.parse(stdout) as { sets: object[]; findings: { kind: string; groups: string[][] }[] };
    expect(report.sets).toHaveLength(2);
    expect(report.findings[0]).toMatchObject({ kind: 'leak', severity: 'problem' });
    expect(report.findings[0].groups).toHaveLength(8);
    expect(await beltnetWorks(['audit', 'loose', '--strict'], { cwd })).toContain('Nothing was found');
  });

  test('writes nothing that was not asked for', async () => {
    const before = readdirSync(cwd);
    expect(await beltnetWorks(['audit', 'divided'], { cwd })).toContain('To see the pictures: --sheet audit.png');
    await beltnetWorks(['audit', '.'], { cwd: join(cwd, 'divided') });
    expect(readdirSync(cwd)).toEqual(before);
    expect(readdirSync(join(cwd, 'divided'))).toEqual(['test', 'train']);
  });

  test('of a folder that is not divided: --strict sees what spoils a training', async () => {
    writeClasses(join(cwd, 'tiny'), 4);
    const { code, stdout } = await beltnet(['audit', 'tiny', '--strict'], { cwd });
    expect([code, stdout]).toEqual([11, expect.stringMatching(/warning, few pictures: .*bright 2, dark 2/)]);
  });

  test('its short form stands before a training', async () => {
    const { stderr } = await beltnet(['train', 'divided', ...short, '--name', 'noted'], { cwd });
    expect(stderr).toContain('audit: divided/train and divided/test share 8 pictures');
    expect(stderr).toContain('audit: files and ways out: beltnet audit divided');
    const config = JSON.parse(readFileSync(join(cwd, 'runs/noted/config.json'), 'utf8')) as {
      data: { audited: object[] };
    };
    expect(config.data.audited[0]).toMatchObject({ pictures: 16, distinct: 16, effective: 16 });
  });
});

describe('what is left out', () => {
  test('is named, each file; the last line sums up; counts agree; --on-bad fail ends with 3', async () => {
    writeClasses(join(cwd, 'mixed'), 24);
    const others = Object.fromEntries(Array.from({ length: 14 }, (_, n) => [`mixed/dark/x${n}.webp`, 'RIFF']));
    writeFiles(cwd, { ...others, 'mixed/bright/y.gif': 'GIF89a', 'mixed/bright/z.png': 'no picture' });
    const { code, stdout, stderr } = await beltnet(['train', 'mixed', ...short, '--split', '0.25', '--name', 'mixed'], {
      cwd,
    });
    expect(code).toBe(0);
    for (let n = 0; n < 14; n++) expect(stderr).toContain(`skipped: mixed/dark/x${n}.webp: `);
    expect(stderr).toMatch(/x0\.webp: expects JPEG, PNG or BMP, got \.webp; .*magick INPUT OUTPUT\.png/);
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(
      /^note: 16 of 40 files were left out \(1 \.gif, 14 \.webp, 1 \.png\); .*--on-bad fail stops at the first, with exit code 3$/,
    );
    const found = [...stdout.matchAll(/Found (\d+) images/g)].map(([, images]) => Number(images));
    expect(found.reduce((a, b) => a + b)).toBe(24);
    expect(stdout).toContain(`: ${found[0]} pictures for training, ${found[1]} for validation\n`);
    const failed = await beltnet(['train', 'mixed', ...short, '--on-bad', 'fail', '--name', 'failed'], { cwd });
    expect(failed.code).toBe(3);
    expect(failed.stderr).toMatch(/^beltnet: mixed\/.*(gif|webp)/m);
  });

  test('pictures that EXIF would turn are told before a training, unless --exif turns them', async () => {
    writeClasses(join(cwd, 'held'), 8);
    writeFiles(cwd, {
      'held/dark/turned.jpg': readFileSync(new URL('../golden/images/jpeg_exif_6.jpg', import.meta.url)),
    });
    const noted = async (name: string, ...args: string[]): Promise<string> =>
      (await beltnet(['train', 'held', ...short, '--name', name, ...args], { cwd })).stderr;
    expect(await noted('as-stored')).toMatch(/^audit: held: 1 picture is stored turned/m);
    expect(await noted('as-held', '--exif')).not.toContain('stored turned');
  });
});

test('a model that takes everything for one class is told, at the end and in --json', async () => {
  // A learning rate of next to nothing learns nothing, so that the initial weights decide, alike for such small values.
  const args = ['train', 'loose', ...short, '--lr', '1e-30', '--rescale', '1e-9', '--name'];
  const { code, stderr } = await beltnet([...args, 'nothing'], { cwd });
  expect([code, stderr]).toEqual([
    0,
    expect.stringMatching(/^warning: the model takes every picture of loose for '(bright|dark)'/m),
  ]);
  const lines = (await beltnetWorks([...args, 'nothing-json', '--json'], { cwd })).trimEnd().split('\n');
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
    event: 'end',
    neverPredicted: [expect.stringMatching(/bright|dark/)],
  });
});

describe('preview', () => {
  test('writes originals and their versions, and overwrites nothing', async () => {
    const options = [
      '--size',
      '40x30',
      '--rotation',
      '20',
      '--horizontal-flip',
      '--brightness',
      '0.5,1.5',
      '--count',
      '3',
    ];
    const stdout = await beltnetWorks(['preview', 'loose', ...options], { cwd });
    expect(stdout).toContain('preview.png: 3 pictures, each as it is and in 7 augmented versions');
    const sheet = decode(readFileSync(join(cwd, 'preview.png')), 'preview.png');
    // The first cell of each row is the original, three times as large, below the title and above its caption: 'bright' and 'dark' in turn.
    const level = (row: number): number => sheet.data[((110 + 178 * row + 60) * sheet.width + 20 + 60) * 3];
    expect([level(0) > 120, level(1) < 120, level(2) > 120]).toEqual([true, true, true]);
    const plain = await beltnet(['preview', 'loose', '--out', 'plain.png'], { cwd });
    expect(plain.stderr).toContain('note: nothing changes these pictures; ask for something');
    expect(plain.stdout).toContain('plain.png: 8 pictures, each as it is and 7 times more');
    const again = await beltnet(['preview', 'loose', '--out', 'preview.png'], { cwd });
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('--out: expects a new file')]);
    const inside = await beltnet(['preview', '.'], { cwd: join(cwd, 'loose') });
    expect(inside.code).toBe(2);
    expect(readdirSync(join(cwd, 'loose'))).toEqual(['bright', 'dark']);
  });
});

describe('evaluate --difficulty', () => {
  test('0 changes nothing; more makes it harder, the same each time', async () => {
    await beltnetWorks(['train', 'loose', ...short, '--epochs', '4', '--name', 'dial'], { cwd });
    const evaluate = async (...args: string[]) => {
      const stdout = await beltnetWorks(['evaluate', 'runs/dial', 'loose', '--device', 'cpu', '--json', ...args], {
        cwd,
      });
      return JSON.parse(stdout) as { loss: number; difficulty: number };
    };
    const [plain, none, hard, again] = [
      await evaluate(),
      await evaluate('--difficulty', '0'),
      await evaluate('--difficulty', '1'),
      await evaluate('--difficulty', '1'),
    ];
    expect(none).toEqual(plain);
    expect(hard.difficulty).toBe(1);
    expect(hard.loss).toBeGreaterThan(plain.loss);
    expect(again).toEqual(hard);
    const { code, stderr } = await beltnet(['evaluate', 'runs/dial', 'loose', '--difficulty', '2'], { cwd });
    expect([code, stderr]).toEqual([2, expect.stringContaining('--difficulty: expects a number from 0 to 1')]);
  });
});

test('a region and a normalization are kept with the model, and predictions take them', async () => {
  const options = [
    ...short,
    '--roi',
    '4,3,20,18',
    '--normalize',
    'featurewise',
    '--resize',
    'bicubic',
    '--name',
    'prepared',
  ];
  await beltnetWorks(['train', 'loose', ...options], { cwd });
  const config = JSON.parse(readFileSync(join(cwd, 'runs/prepared/config.json'), 'utf8')) as { preprocessing: object };
  expect(config.preprocessing).toMatchObject({
    interpolation: 'bicubic',
    region: { x: 4, y: 3, width: 20, height: 18 },
    normalization: { featurewiseMean: [expect.any(Number), expect.any(Number), expect.any(Number)] },
  });
  const evaluated = JSON.parse(
    await beltnetWorks(['evaluate', 'runs/prepared', 'loose', '--device', 'cpu', '--json'], { cwd }),
  ) as { accuracy: number };
  const lines = (await beltnetWorks(['predict', 'runs/prepared', 'loose', '--device', 'cpu', '--json'], { cwd }))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { file: string; class: string });
  const right = lines.filter(({ file, class: name }) => file.includes(`/${name}/`)).length;
  expect(right / lines.length).toBe(evaluated.accuracy);
  const { code, stderr } = await beltnet(['train', 'loose', ...short, '--roi', '30,0,20,20', '--name', 'outside'], {
    cwd,
  });
  expect([code, stderr]).toEqual([3, expect.stringContaining('holds the region 20×20 at 30,0, got 40×30 pixels')]);
});

describe('decode', () => {
  test('--json: a line a file, in the order given; the hash is that of the RGB bytes', async () => {
    const png = noisyPng('bright', 3, 20, 10);
    writeFiles(cwd, { 'one.png': png, 'bad.jpg': Buffer.from('ffd8ffd9', 'hex'), 'photo.heic': '\0\0\0\x18ftypheic' });
    const { code, stdout, stderr } = await beltnet(
      ['decode', 'one.png', 'bad.jpg', 'photo.heic', 'missing.png', '--json'],
      { cwd },
    );
    expect(code).toBe(3);
    expect(stderr).toBe('');
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const { data } = decode(png, 'x');
    const rgbSha256 = createHash('sha256').update(data).digest('hex');
    expect(lines[0]).toEqual({ file: 'one.png', format: 'PNG', width: 20, height: 10, rgbSha256 });
    expect(lines.slice(1).map(({ file }) => file)).toEqual(['bad.jpg', 'photo.heic', 'missing.png']);
    expect(lines[1].error).toMatch(/^bad.jpg: JPEG cannot be decoded: it has no frame header/);
    expect(lines[2].error).toMatch(/HEIC; convert it to PNG, for example with ImageMagick/);
    expect(lines[3].error).toMatch(/ENOENT/);
  });

  test('text, and --exif', async () => {
    const picture = readFileSync(new URL('../golden/images/jpeg_exif_6.jpg', import.meta.url));
    writeFiles(cwd, { 'turned.jpg': picture });
    expect(await beltnetWorks(['decode', 'turned.jpg'], { cwd })).toMatch(/^turned.jpg: JPEG, 45×28, [\da-f]{64}\n$/);
    expect(await beltnetWorks(['decode', 'turned.jpg', '--exif'], { cwd })).toMatch(/^turned.jpg: JPEG, 28×45, /);
    const { code, stdout, stderr } = await beltnet(['decode', 'nothing.jpg'], { cwd });
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toMatch(/^beltnet: nothing.jpg: the file cannot be read \(ENOENT\)/);
  });
});

test('a model that was trained with --exif predicts with it', async () => {
  const picture = readFileSync(new URL('../golden/images/jpeg_exif_6.jpg', import.meta.url));
  writeFiles(cwd, { 'upright/turned.jpg': picture });
  const predict = async (run: string): Promise<string> =>
    beltnetWorks(['predict', `runs/${run}`, 'upright', '--json', '--device', 'cpu'], { cwd });
  await beltnetWorks(['train', 'loose', ...short, '--split', '0.25', '--name', 'turning', '--exif'], { cwd });
  await beltnetWorks(['train', 'loose', ...short, '--split', '0.25', '--name', 'lying'], { cwd });
  expect(weights('turning').toString('latin1')).toContain('\\"exif\\":true');
  expect(await predict('turning')).not.toBe(await predict('lying')); // of the same weights: no other picture has EXIF
});
