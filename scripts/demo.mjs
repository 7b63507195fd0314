/** `npm run demo`: makes pictures of a belt, trains on them, evaluates, predicts a few; each run in a new folder under demo/. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, runNode } from './steps.mjs';

function beltnet(...args) {
  console.log(`\n> beltnet ${args.join(' ')}`);
  runNode(join(root, 'dist/cli/main.js'), args);
}

function newFolder() {
  let number = 1;
  while (existsSync(join(root, 'demo', String(number)))) number++;
  mkdirSync(join(root, 'demo', String(number)), { recursive: true });
  return `demo/${number}`;
}

/** The first pictures of each class in the test set, as paths from the project's folder. */
function somePictures(pictures, perClass) {
  const testSet = `${pictures}/test_set`;
  return readdirSync(join(root, testSet))
    .toSorted()
    .flatMap((name) => {
      const files = readdirSync(join(root, testSet, name)).toSorted();
      return files.slice(0, perClass).map((file) => `${testSet}/${name}/${file}`);
    });
}

const started = performance.now();
const folder = newFolder();
const pictures = `${folder}/belt`;
const runs = `${folder}/runs`;

beltnet('synth', pictures, '--count', '800', '--seed', '0');
const augmentation = ['--shear', '10deg', '--zoom', '0.2', '--horizontal-flip'];
beltnet('train', pictures, '--epochs', '6', ...augmentation, '--alert-class', 'gap', '--out', runs);
const model = `${runs}/${readdirSync(join(root, runs))[0]}/best.safetensors`;
beltnet('evaluate', model, pictures);
beltnet('predict', model, ...somePictures(pictures, 3));

console.log(`
Done in ${Math.round((performance.now() - started) / 1000)} s. Everything is in ${join(root, folder)}:
  belt/                    the pictures: training_set/ and test_set/, each with gap/ and ok/
  runs/                    the run: best.safetensors, config.json, results.csv …
Try it on a folder of your own with one subfolder for each class:  npx beltnet train FOLDER`);
