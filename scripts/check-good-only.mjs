/**
 * Good pictures only, on class folders: how well defects are told, and the same method in Python from the same features.
 *
 *     npm run build && node scripts/check-good-only.mjs PYTHON FOLDER [GOOD_CLASS]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  basePreparation,
  judgeDefects,
  listGoodPictures,
  loadDataset,
  openBase,
  openDevice,
  picturesOfClass,
  trainGoodOnly,
} from 'beltnet';

const { viewOf } = await import('../dist/src/classifier/good-only/scorer.js');
const { eachPart } = await import('../dist/src/classifier/good-only/statistics.js');

const program = `
import json, sys
import numpy
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
folder, way, width, groups = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
learning, judging, defects = (numpy.fromfile(f"{folder}/{name}", numpy.float32).reshape(-1, groups, width).astype(float) for name in ("learning", "judging", "defects"))
if way == "scene":
    scaler = StandardScaler().fit(learning[:, 0])
    fitted = LedoitWolf().fit(scaler.transform(learning[:, 0]))
    distances = [fitted.mahalanobis(scaler.transform(each[:, 0])) for each in (judging, defects)]
else:
    covariances = numpy.stack([numpy.cov(learning[:, group], rowvar=False) for group in range(groups)])
    ridge = 0.01 * numpy.mean([numpy.trace(covariance) / width for covariance in covariances])
    inverses = numpy.linalg.inv(covariances + ridge * numpy.eye(width))
    mean = learning.mean(axis=0)
    distances = [numpy.einsum("ngi,gij,ngj->ng", each - mean, inverses, each - mean).max(axis=1) for each in (judging, defects)]
labels = numpy.repeat([0, 1], [len(distances[0]), len(distances[1])])
print(json.dumps(roc_auc_score(labels, numpy.concatenate(distances))))
`;

const [python, directory, goodClass] = process.argv.slice(2);
const device = await openDevice('cpu');
const base = await openBase('darknet-tiny');
const { picture, values } = basePreparation(base, {});
const { training, validation, goodLabel } = await listGoodPictures(directory, { goodClass });
const learning = await loadDataset(training, picture);
const others = await loadDataset(validation, picture);
const [judging, defects] = [goodLabel, 1 - goodLabel].map((label) => picturesOfClass(others, label));
for (const way of ['scene', 'fixed-camera']) {
  const trained = await trainGoodOnly(base, way, learning, device, { heldBack: judging });
  const { rocAuc, averagePrecision, missed, positives } = await judgeDefects(trained, defects);
  const folder = mkdtempSync(join(tmpdir(), 'beltnet-good-only-'));
  const { model, rows, columns, width } = await viewOf(base, way, picture.size, 0);
  for (const [name, set] of Object.entries({ learning, judging, defects })) {
    const parts = [];
    await eachPart(model, set, { device, values }, (part) => parts.push(Buffer.from(part.slice().buffer)));
    writeFileSync(join(folder, name), Buffer.concat(parts));
  }
  model.destroy();
  const { stdout, stderr } = spawnSync(python, ['-c', program, folder, way, String(width), String(rows * columns)], {
    encoding: 'utf8',
  });
  if (stderr && !stdout) console.error(stderr);
  rmSync(folder, { recursive: true });
  const { heldBack, beyond } = trained.limit;
  console.log(
    `${directory} ${way}: ROC AUC ${rocAuc.toFixed(4)} (Python ${Number(stdout).toFixed(4)}), average precision ${averagePrecision.toFixed(4)}, ` +
      `${missed} of ${positives} missed at ${beyond} of ${heldBack} false alarms`,
  );
}
device.destroy();
