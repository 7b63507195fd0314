/** `beltnet preview`: how augmentation changes pictures, as a contact sheet. */
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
const CELL = 128;

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
  async run([directory], options) {
    const { size, difficulty, seed, roi } = options;
    const place = newFile('--out', options.out ?? true, 'preview', [directory]);
    if (place === null) throw new UsageError('--out: expected a file outside of the pictures, got none');
    const unusual = shearNote(options.shear, options.profile);
    if (unusual) note(`note: ${unusual}`);
    const pictures = await somePictures(directory, options);
    // One batch of all pictures a pass; the passes differ in what is drawn.
    const bytes = new Uint8Array(Buffer.concat(pictures.map(({ data }) => data)));
    const set = { name: directory, pictures: bytes, pictureShape: [size.height, size.width, 3] as const };
    const flow = new DataFlow(set, {
      ...{ batchSize: pictures.length, shuffle: false, seed, difficulty },
      augmentation: augmentationOf(options),
    });
    const device = await (await chooseDevice('cpu')).open();
    const versions: Float32Array[] = [];
    for (let pass = 0; pass < VERSIONS; pass++) versions.push(await renderBatch(device, flow, pass));
    device.destroy();

    const length = size.width * size.height * 3;
    const version = (values: Float32Array, index: number): Picture => ({
      ...{ width: size.width, height: size.height },
      data: Uint8Array.from(values.subarray(index * length, (index + 1) * length), (value) =>
        Math.min(Math.max(Math.round(value), 0), 255),
      ),
    });
    const rows = pictures.map((picture, index) => ({
      number: index + 1,
      pictures: [picture, ...versions.map((values) => version(values, index))],
    }));
    const isChanged = rows.some(({ pictures: [original, ...others] }) =>
      others.some(({ data }) => data.some((value, at) => value !== original.data[at])),
    );
    if (!isChanged) {
      note(
        'note: nothing changes these pictures; ask for something, as --rotation 10 --zoom 0.2 --horizontal-flip, or --difficulty 0.5',
      );
    }
    await writeFileAtomically(place, encodePng(contactSheet(rows, CELL)));
    const region = roi ? `, of the region ${roi.x},${roi.y},${roi.width},${roi.height}` : '';
    new Output().say(
      `${place}: ${count(pictures.length, 'picture')}${region}, each as it is and ${isChanged ? `in ${VERSIONS} augmented versions` : `${VERSIONS} times more`}`,
    );
    return 0;
  },
});

/** The first of each class in turn, prepared as for a training. */
async function somePictures(directory: string, options: Options<typeof flags>): Promise<Picture[]> {
  const [list] = await listSets([directory]);
  const byClass = list.classNames.map((_, label) => list.files.filter((file) => file.label === label));
  const classes = byClass.length > 0 ? byClass : [list.files];
  const longest = Math.max(...classes.map(({ length }) => length));
  const inTurn = Array.from({ length: longest }, (_, rank) => classes.flatMap((files) => files[rank] ?? [])).flat();
  const chosen = inTurn.slice(0, options.count);
  const { resize: interpolation, roi: region, exif, size } = options;
  const preparation = preparationOf({ preprocessing: preprocessingOf({ interpolation, region, exif }) }, size).picture;
  const { array } = list;
  if (array) return chosen.map(({ row = 0 }) => prepare(array.picture(row), preparation));
  const loaded = await loadPictures(
    chosen.map(({ path }) => path),
    preparation,
  );
  for (const one of loaded) if ('error' in one) note(`skipped: ${one.error}`);
  const byFile = new Map(loaded.map((one) => [one.file, 'picture' in one ? [one.picture] : []]));
  const good = chosen.flatMap(({ path }) => byFile.get(path) ?? []);
  if (good.length === 0) throw new DataError(`${directory}: not one of the first pictures can be used`);
  return good;
}
