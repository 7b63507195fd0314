/**
 * `node bench/decode.mjs [FILE…]`: our decoders beside jpeg-js and pngjs, one thread, in turns. Without files: pictures of
 * the synthetic belt at 640×480. Build first (npm run build).
 */
import { readFileSync } from 'node:fs';
import jpegJs from 'jpeg-js';
import { PNG } from 'pngjs';
import { decode } from '../dist/src/data/pictures/decode.js';
import { encodeJpeg } from '../dist/src/data/pictures/jpeg/encode-jpeg.js';
import { beltPicture } from '../dist/src/data/belt/synthetic.js';
import { median } from './statistics.mjs';

const WARM_UP_ROUNDS = 8;
const ROUNDS = 25;

const isPng = (bytes) => bytes[0] === 0x89;

function beltFiles() {
  const picture = beltPicture({ seed: 0, index: 0, label: 'ok', width: 640, height: 480 });
  const png = new PNG({ width: 640, height: 480 });
  for (let from = 0, to = 0; from < picture.data.length; to++) {
    png.data[to] = to % 4 === 3 ? 255 : picture.data[from++];
  }
  return [
    ...[75, 85, 95].map((quality) => [`JPEG, quality ${quality}`, encodeJpeg(picture, quality)]),
    ['PNG, RGB', PNG.sync.write(png, { colorType: 2 })],
    ['PNG, RGBA', PNG.sync.write(png, { colorType: 6 })],
  ];
}

function candidates(bytes, name) {
  const ours = { beltnet: () => decode(bytes, name) };
  if (isPng(bytes)) return { ...ours, pngjs: () => PNG.sync.read(bytes) };
  const options = { useTArray: true, formatAsRGBA: false, maxMemoryUsageInMB: 4096, maxResolutionInMP: 1000 };
  return { ...ours, 'jpeg-js': () => jpegJs.decode(bytes, options) };
}

function measure(name, bytes) {
  const runs = Object.entries(candidates(bytes, name)).map(([who, run]) => ({ who, run, times: [] }));
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    for (const { run, times } of runs) {
      const start = performance.now();
      run();
      if (round >= WARM_UP_ROUNDS) times.push(performance.now() - start);
    }
  }
  const theirs = median(runs.at(-1).times);
  for (const { who, times } of runs) {
    const ours = median(times);
    console.log(
      `${name.padEnd(28)} ${who.padEnd(20)} ${ours.toFixed(2).padStart(8)} ms ${(ours / theirs).toFixed(2).padStart(6)}`,
    );
  }
}

const given = process.argv.slice(2).map((file) => [file, readFileSync(file)]);
console.log('medians of one picture, and their ratio to the other library');
for (const [name, bytes] of given.length > 0 ? given : beltFiles()) measure(name, bytes);
