/** `beltnet preview`: how augmentation changes pictures, as a contact sheet. */
import { basename } from 'node:path';
import { DataError, UsageError } from '../../src/errors.js';
import {
  chooseDevice,
  contactSheet,
  DataFlow,
  encodePng,
  listSets,
  loadPictures,
  preparationOf,
  prepare,
  preprocessingOf,
  renderBatch,
  writeFileAtomically,
  type Picture,
} from '../../src/index.node.js';
import { augmentationOf } from '../terminal/augmentation.js';
import { defineCommand, flag, type Options } from '../terminal/command.js';
import { augmentationFlags, difficultyFlag, pictureFlags, seedFlag } from '../terminal/common-flags.js';
import { newFile } from '../terminal/new-file.js';
import { filePath, shearNote, wholeNumber } from '../terminal/options.js';
import { count, note, Output } from '../terminal/output.js';

/** Versions of each picture beside the original. */
const VERSIONS = 7;
const CELL = 160;
const ORIGINAL = { text: 'as it is', colour: 'plain' } as const;

const flags = {
  ...pictureFlags,
  count: flag('<n>', 'pictures, of all classes in turn', (name) => wholeNumber(name, 1, 64), { default: 8 }),
  difficulty: difficultyFlag,
  seed: seedFlag('decides what is drawn, as in a training'),
  out: flag('<file>', 'where the sheet goes (default: preview.png here)', filePath),
  ...augmentationFlags,
};

export const command = defineCommand({
  operands: { '<dir>': 'a divided data set, class folders, any folder of pictures, a manifest or a practice set' },
  flags,
  examples: ['beltnet preview belt --shear 12deg --zoom 0.2 --horizontal-flip'],
  async run([directory], options, given) {
    const { size, difficulty, seed, roi } = options;
    const place = newFile('--out', options.out ?? true, 'preview', [directory]);
    if (place === null) throw new UsageError('--out: expects a file outside of the pictures, got none');
    const unusual = shearNote(options.shear, options.profile);
    if (unusual) note(`note: ${unusual}`);
    const { pictures, names } = await somePictures(directory, options);
    // One batch of all pictures a pass; the passes differ in what is drawn.
    const bytes = new Uint8Array(Buffer.concat(pictures.map(({ data }) => data)));
    const set = { name: directory, pictures: bytes, pictureShape: [size.height, size.width, 3] as const };
    const flow = new DataFlow(set, {
      batchSize: pictures.length,
      shuffle: false,
      seed,
      difficulty,
      augmentation: augmentationOf(options),
    });
    const device = await (await chooseDevice('cpu')).open();
    const versions: Float32Array[] = [];
    for (let pass = 0; pass < VERSIONS; pass++) versions.push(await renderBatch(device, flow, pass));
    device.destroy();

    const length = size.width * size.height * 3;
    const version = (values: Float32Array, index: number): Picture => ({
      width: size.width,
      height: size.height,
      data: Uint8Array.from(values.subarray(index * length, (index + 1) * length), (value) =>
        Math.min(Math.max(Math.round(value), 0), 255),
      ),
    });
    const groups = pictures.map((picture, index) => ({
      original: picture,
      others: versions.map((values) => version(values, index)),
    }));
    const isChanged = groups.some(({ original, others }) =>
      others.some(({ data }) => data.some((value, at) => value !== original.data[at])),
    );
    if (!isChanged) {
      note(
        'note: nothing changes these pictures; ask for something, as --rotation 10 --zoom 0.2 --horizontal-flip, or --difficulty 0.5',
      );
    }
    const sheet = contactSheet(
      {
        title: `Augmentation of ${directory}`,
        notes: [`${size.width}x${size.height}, ${inWords(options, given)}, seed ${seed}`],
        groups: groups.map(({ original, others }, index) => ({
          cells: [
            { picture: original, caption: [basename(names[index].path), names[index].className], mark: ORIGINAL },
            ...others.map((picture, pass) => ({ picture, caption: [`version ${pass + 1}`] })),
          ],
        })),
      },
      { cell: CELL },
    );
    await writeFileAtomically(place, encodePng(sheet));
    const region = roi ? `, of the region ${roi.x},${roi.y},${roi.width},${roi.height}` : '';
    new Output().say(
      `${place}: ${count(pictures.length, 'picture')}${region}, each as it is and ${isChanged ? `in ${VERSIONS} augmented versions` : `${VERSIONS} times more`}`,
    );
    return 0;
  },
});

/** What was asked for, as on the command line. */
function inWords(options: Options<typeof flags>, given: readonly (keyof typeof flags)[]): string {
  const asked = given.filter((name) => name in augmentationFlags || name === 'difficulty' || name === 'roi');
  const value = (name: keyof typeof flags): string => {
    const one: unknown = options[name];
    if (one === true) return '';
    const parts = (typeof one === 'object' && one !== null ? Object.values(one) : [one]) as (number | string | null)[];
    const short = (part: number | string | null) =>
      typeof part === 'number' ? Number(part.toPrecision(4)) : (part ?? '');
    return ` ${parts.map(short).join(' ')}`.trimEnd();
  };
  const words = (name: string): string => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return asked.length === 0 ? 'nothing asked for' : asked.map((name) => words(name) + value(name)).join(', ');
}

interface NamedPictures {
  readonly pictures: readonly Picture[];
  readonly names: readonly { readonly path: string; readonly className: string }[];
}

/** The first of each class in turn, prepared as for a training. */
async function somePictures(directory: string, options: Options<typeof flags>): Promise<NamedPictures> {
  const [list] = await listSets([directory]);
  const byClass = list.classNames.map((_, label) => list.files.filter((file) => file.label === label));
  const classes = byClass.length > 0 ? byClass : [list.files];
  const longest = Math.max(...classes.map(({ length }) => length));
  const inTurn = Array.from({ length: longest }, (_, rank) => classes.flatMap((files) => files[rank] ?? [])).flat();
  const chosen = inTurn.slice(0, options.count);
  const { resize: interpolation, roi: region, exif, size } = options;
  const preparation = preparationOf({ preprocessing: preprocessingOf({ interpolation, region, exif }) }, size).picture;
  const { array } = list;
  const named = ({ path, label }: (typeof chosen)[number]) => ({ path, className: list.classNames[label] ?? '' });
  if (array)
    return {
      pictures: chosen.map(({ row = 0 }) => prepare(array.picture(row), preparation)),
      names: chosen.map(named),
    };
  const loaded = await loadPictures(
    chosen.map(({ path }) => path),
    preparation,
  );
  for (const one of loaded) if ('error' in one) note(`skipped: ${one.error}`);
  const byFile = new Map(loaded.map((one) => [one.file, 'picture' in one ? [one.picture] : []]));
  const good = chosen.filter(({ path }) => (byFile.get(path) ?? []).length > 0);
  if (good.length === 0) throw new DataError(`${directory}: not one of the first pictures can be used`);
  return { pictures: good.flatMap(({ path }) => byFile.get(path) ?? []), names: good.map(named) };
}
