/**
 * What `npm run fuzz` throws at beltnet: every parser of foreign bytes, with sound inputs to spoil. A case is a number; the same
 * number gives the same bytes.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateRawSync, deflateSync, gzipSync, inflateRawSync, inflateSync } from 'node:zlib';
import { root } from './steps.mjs';

const built = (path) => import(new URL(`../dist/${path}.js`, import.meta.url).href);

/** Numbers below a limit; a generator of its own, so that findings stay what they are when the product's changes. */
export function dice(seed) {
  let state = (Math.imul(seed, 2654435761) ^ 0x9e3779b9) >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 15), 2246822519) >>> 0;
    return Math.floor(((mixed ^ (mixed >>> 13)) >>> 0) / (2 ** 32 / limit));
  };
}

const read = (path) => readFileSync(join(root, path));
const filesIn = (folder, pattern) =>
  readdirSync(join(root, folder))
    .filter((name) => pattern.test(name))
    .toSorted()
    .map((name) => ({ name, bytes: read(`${folder}/${name}`) }));

/** Numbers where sizes, counts and offsets turn over. */
const edges = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe];

/** Accidents and malice by byte: changed, cut, doubled, foreign pieces, and numbers at the edges of their range. */
function spoilBytes(bytes, others, roll) {
  let out = Buffer.from(bytes);
  for (let times = 1 + (roll(3) === 0 ? roll(6) : 0); times > 0 && out.length > 0; times--) {
    const from = roll(out.length);
    const to = Math.min(out.length, from + 1 + roll(64));
    const kind = roll(9);
    if (kind === 0) out[from] = roll(256);
    else if (kind === 1) out[from] ^= 1 << roll(8);
    else if (kind === 2) out = Buffer.concat([out.subarray(0, from), out.subarray(to)]);
    else if (kind === 3) out = Buffer.concat([out.subarray(0, to), out.subarray(from)]);
    else if (kind === 4) out = Buffer.from(out.subarray(0, from));
    else if (kind === 5) {
      const other = others[roll(others.length)].bytes;
      out = Buffer.concat([out.subarray(0, from), other.subarray(roll(other.length)), out.subarray(to)]);
    } else if (kind === 6) out.fill(roll(2) * 255, from, to);
    else {
      const value = edges[roll(edges.length)];
      const at = roll(2) === 0 ? roll(Math.min(out.length, 128)) : from; // headers hold most of the sizes
      if (at + 4 > out.length) continue;
      if (kind === 7) out.writeUInt32LE(value, at);
      else out.writeUInt32BE(value, at);
    }
  }
  return out;
}

/** A piece of text by its tokens: one goes away, comes twice, becomes another or something odd. */
function spoilText(bytes, others, roll) {
  if (roll(3) === 0) return spoilBytes(bytes, others, roll);
  const odd = [
    '',
    '0',
    '-1',
    '1e309',
    'null',
    '[]',
    '{}',
    '"',
    '\n',
    ',',
    '"\u001b[31m"',
    '"a\\u0000"',
    'true',
    '[[[[[[[[',
    '9'.repeat(400),
  ];
  const tokens = bytes.toString('utf8').match(/"(?:[^"\\]|\\.)*"|[\w.+-]+|\s+|./gs) ?? [''];
  for (let times = 1 + roll(4); times > 0; times--) {
    const at = roll(tokens.length);
    const fate = roll(4);
    if (fate === 0) tokens.splice(at, 1 + roll(3));
    else if (fate === 1) tokens.splice(at, 0, ...tokens.slice(at, at + 1 + roll(40)));
    else tokens[at] = fate === 2 ? tokens[roll(tokens.length)] : odd[roll(odd.length)];
    if (tokens.length === 0) tokens.push('');
  }
  return Buffer.from(tokens.join(''));
}

/** Spoils what lies below compression and checksums, and sets those right again. */
function spoilPng(bytes, others, roll) {
  if (roll(2) === 0) return spoilBytes(bytes, others, roll);
  const chunks = [];
  for (let at = 8; at + 12 <= bytes.length; at += 12 + bytes.readUInt32BE(at))
    chunks.push({
      type: bytes.subarray(at + 4, at + 8),
      data: bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at)),
    });
  const chosen = roll(chunks.length);
  const parts = chunks.flatMap(({ type, data }, index) => {
    let inside = data;
    if (index === chosen && data.length > 0) {
      const isPixels =
        type.toString() === 'IDAT' && chunks.filter((one) => one.type.toString() === 'IDAT').length === 1;
      inside =
        isPixels && roll(2) === 0
          ? deflateSync(spoilBytes(inflateSync(data), others, roll))
          : spoilBytes(data, others, roll);
    }
    const frame = Buffer.alloc(4);
    frame.writeUInt32BE(inside.length);
    const check = Buffer.alloc(4);
    check.writeUInt32BE(crc32(inside, crc32(type)));
    return [frame, type, inside, check];
  });
  return Buffer.concat([bytes.subarray(0, 8), ...parts]);
}

/** safetensors: eight bytes of length, a header in JSON, numbers. The length is set right again. */
function spoilSafetensors(bytes, others, roll) {
  if (roll(2) === 0) return spoilBytes(bytes, others, roll);
  const length = Number(bytes.readBigUInt64LE());
  const header = spoilText(bytes.subarray(8, 8 + length), others, roll);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([prefix, header, bytes.subarray(8 + length)]);
}

const idx = (type, shape, values) => {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, type, shape.length]);
  for (const [axis, size] of shape.entries()) header.writeUInt32BE(size, 4 + 4 * axis);
  return Buffer.concat([header, Buffer.from(values)]);
};

const table = `path,label,group,split\n${Array.from({ length: 9 }, (_, i) => `"a ${i}.png",${i % 2 ? 'gap' : 'ok'},"shift, ${i % 3}",${['train', 'val', 'test'][i % 3]}`).join('\n')}\n`;
const lines = Array.from(
  { length: 9 },
  (_, i) =>
    `${JSON.stringify({ path: `${i}.png`, label: i % 2 ? 'gap' : 'ok', group: String(i % 3), split: 'train' })}\n`,
).join('');

/**
 * @param scratch a folder for what is read from disk
 * @returns by name: sound inputs, how they are spoiled, and what reads them
 */
export async function parsers(scratch) {
  const { decode } = await built('src/data/pictures/decode');
  const { inflate } = await built('src/data/inflate/inflate');
  const { DataError } = await built('src/errors');
  const { openArraySet, listArraySet } = await built('src/data/sources/array-files.node');
  const { readManifest, listManifest } = await built('src/data/sources/manifest.node');
  const { zip } = await built('src/data/sources/zip');
  const { decodeModel } = await built('src/formats/beltnet/model');
  const { readSafetensors, toFloat32 } = await built('src/formats/safetensors');
  const { importKeras } = await built('src/formats/keras/import-keras');
  const { loadKeras } = await built('src/formats/keras/keras.node');
  const { importOnnx } = await built('src/formats/onnx/import-onnx');
  const { readKernelChoices } = await built('src/checks/kernel-choices.node');

  const write = (name, bytes) => {
    const path = join(scratch, name);
    writeFileSync(path, bytes);
    return path;
  };
  const picture = (pattern, spoil = spoilBytes) => ({
    inputs: [...filesIn('test/data/pictures', pattern), ...filesIn('test/golden/images', pattern)],
    spoil,
    read(bytes, name) {
      decode(bytes, name, { maximumPixels: 1_000_000, exif: true });
    },
  });
  const arrays = (inputs) => ({
    inputs,
    spoil: spoilBytes,
    async read(bytes, name) {
      const set = await openArraySet(write(name, bytes));
      if (!set) return;
      for (const part of [set.training, set.validation, set.test])
        if (part && part.pictures.count > 0) [0, part.pictures.count - 1].map((row) => part.pictures.picture(row));
      listArraySet(set);
    },
  });
  const gray = Buffer.from(Array.from({ length: 5 * 6 * 4 }, (_, i) => (i * 37) % 256));
  const npy = filesIn('test/data/arrays', /\.npy$/);
  const npz = filesIn('test/data/arrays', /\.npz$/);
  const cifar = Buffer.from(Array.from({ length: 3 * 3073 }, (_, i) => (i % 3073 === 0 ? (i / 3073) % 10 : i % 251)));
  const keras = (pattern) => filesIn('test/fixtures/keras', pattern).filter(({ name }) => name !== 'endless.h5');
  const weights = { name: 'keras2.h5', bytes: read('test/fixtures/keras/keras2.h5') };

  return {
    jpeg: picture(/\.jpg$/),
    png: picture(/\.png$/, spoilPng),
    bmp: picture(/\.bmp$/),
    npy: arrays(npy),
    npz: arrays([
      ...npz,
      {
        name: 'made.npz',
        bytes: Buffer.from(await zip({ 'x_train.npy': npy.find(({ name }) => name === 'gray.npy').bytes })),
      },
    ]),
    idx: arrays([
      { name: 'train-images-idx3-ubyte', bytes: idx(8, [4, 5, 6], gray) },
      { name: 'train-images-idx3-ubyte.gz', bytes: gzipSync(idx(8, [4, 5, 6], gray)) },
      { name: 'images.idx3-ubyte', bytes: idx(13, [1, 5, 6], gray) },
    ]),
    cifar: arrays([
      { name: 'data_batch_1.bin', bytes: cifar },
      { name: 'train.bin', bytes: Buffer.concat([cifar, Buffer.alloc(3)]) },
    ]),
    manifest: {
      inputs: [
        { name: 'table.csv', bytes: Buffer.from(table) },
        { name: 'table.jsonl', bytes: Buffer.from(lines) },
      ],
      spoil: spoilText,
      async read(bytes, name) {
        const path = write(name, bytes);
        await listManifest(path);
        await readManifest(path);
      },
    },
    safetensors: {
      inputs: ['losses', 'activations', 'pooling'].map((name) => ({
        name,
        bytes: read(`test/golden/${name}.safetensors`),
      })),
      spoil: spoilSafetensors,
      read(bytes, name) {
        const file = readSafetensors(bytes, name);
        for (const tensor of file.tensors.values()) toFloat32(tensor);
      },
    },
    model: {
      inputs: await models(),
      spoil: spoilSafetensors,
      read: (bytes, name) => void decodeModel(bytes, name),
    },
    'keras-hdf5': {
      isSlow: true, // each is read in a thread of its own
      inputs: keras(/\.h5$/),
      spoil: spoilBytes,
      read: (bytes, name) => loadKeras(write(name, bytes)),
    },
    'keras-archive': {
      isSlow: true,
      inputs: keras(/\.keras$/),
      spoil: spoilBytes,
      read: (bytes, name) => loadKeras(write(name, bytes)),
    },
    'keras-json': {
      inputs: keras(/^keras2\.json$/),
      spoil: spoilText,
      read: (bytes, name) => importKeras([{ name, bytes }, weights]),
    },
    onnx: {
      inputs: filesIn('test/fixtures/onnx', /\.onnx$/),
      spoil: spoilBytes,
      read: (bytes, name) => void importOnnx(bytes, { name }),
    },
    kernels: {
      inputs: [
        {
          name: 'kernels.json',
          bytes: Buffer.from(
            '{"conv2d [8,64,64,3] {\\"strides\\":[1,1]}":"tile","matrixProduct [8,3],[3,4] {}":"plain"}',
          ),
        },
      ],
      spoil: spoilText,
      read: (bytes, name) => readKernelChoices(write(name, bytes)),
    },
    deflate: {
      inputs: [0, 1, 9].map((level) => ({
        name: `level ${level}`,
        bytes: deflateRawSync(read('package-lock.json').subarray(0, 9000), { level }),
      })),
      spoil: spoilBytes,
      read(bytes, name) {
        const outcome = (pieces) => {
          try {
            return Buffer.concat(Array.from(pieces(), (piece) => Buffer.from(piece)));
          } catch {
            return null;
          }
        };
        const ours = outcome(() => inflate([bytes], 'raw'));
        const theirs = outcome(() => [inflateRawSync(bytes)]);
        if (ours === null ? theirs !== null : !theirs?.equals(ours)) throw new Error('zlib reads it differently');
        if (ours === null) throw new DataError(`${name}: cannot be read`);
      },
    },
  };
}

/** A row and a graph, as `train` and programs save them. */
async function models() {
  const {
    Sequential,
    Conv2D,
    MaxPooling2D,
    Flatten,
    Dense,
    Model,
    input,
    Add,
    BatchNormalization,
    GlobalAveragePooling2D,
    ReferenceDevice,
  } = await built('src/index.node');
  const { encodeModel } = await built('src/formats/beltnet/model');
  const row = new Sequential(
    [
      new Conv2D(2, 3, { inputShape: [8, 8, 3], activation: 'relu' }),
      new MaxPooling2D(),
      new Flatten(),
      new Dense(1, { activation: 'sigmoid' }),
    ],
    { seed: 1 },
  );
  const inputs = input({ shape: [8, 8, 3] });
  const stem = new BatchNormalization().apply(new Conv2D(3, 3, { padding: 'same' }).apply(inputs));
  const graph = new Model({
    inputs,
    outputs: new Dense(3, { activation: 'softmax' }).apply(
      new GlobalAveragePooling2D().apply(new Add().apply([stem, inputs])),
    ),
  });
  const info = (classNames) => ({
    classNames,
    preprocessing: { interpolation: 'nearest', rescale: 1 / 255 },
    alert: { className: 'gap', threshold: 0.5 },
  });
  const bytesOf = async (name, model, classNames) => {
    model.compile({ device: new ReferenceDevice() });
    return { name, bytes: Buffer.from(await encodeModel(model, info(classNames))) };
  };
  const sealed = [
    await bytesOf('row.safetensors', row, ['gap', 'ok']),
    await bytesOf('graph.safetensors', graph, ['gap', 'ok', 'other']),
  ];
  // Without their checksums they are read as other programs' are, and spoiled ones come further.
  const unsealed = sealed.map(({ name, bytes }) => ({ name, bytes: withoutChecksum(bytes) }));
  return [...sealed, ...unsealed, ...unsealed];
}

function withoutChecksum(bytes) {
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
  delete header['__metadata__'].checksum;
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([prefix, text, bytes.subarray(8 + length)]);
}
