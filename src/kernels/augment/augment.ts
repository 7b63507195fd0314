/**
 * Makes a training batch from the resident pictures: picks the batch's pictures, warps each by its own affine transform
 * (rotation, shift, shear, zoom and flips are composed in it), and changes its values, in the order of Keras'
 * ImageDataGenerator:
 *
 *     warp → channel shift → brightness → rescale → centre and normalize
 *
 * A transform maps output pixel (row, column) to input coordinates: (m0·row + m1·column + m2, m3·row + m4·column + m5).
 * Interpolation 'nearest' takes the pixel at floor(coordinate + ½), 'bilinear' blends four, as scipy.ndimage does for
 * order 0 and 1. Coordinates beyond the picture are folded back by the fill mode, in scipy's meaning of the words:
 *
 *     nearest   a a a | a b c d | d d d
 *     reflect   c b a | a b c d | d c b
 *     wrap      b c d | a b c d | b c d      period n − 1: the last pixel and the next first one are one
 *     constant  k k k | a b c d | k k k      outright, without blending at the edge
 *
 * Channel shift adds to each channel and limits the sum to the warped picture's own least and greatest value. Brightness
 * is Pillow's: values lose their fraction, are multiplied, limited to 255 and lose their fraction again; 'stretched' first
 * scales the picture to a maximum of 255, as Keras did before 2.2.5. Centring and normalizing by sample takes mean and
 * deviation of the picture as it then is, by feature those of the whole set, channel by channel.
 *
 * Defects, where they are given, come before all of this, on the picture itself: rows of a lane are replaced by a blend of the
 * rows above and below it, discs are laid over, a box averages its neighbours, noise is added (the sum of four uniform
 * numbers from a hash of seed and place: near enough to normal, and the same to the bit on every device).
 * Sources: keras-preprocessing 1.1.2; scipy, ndimage/src/ni_interpolation.c; Pillow, ImageEnhance.Brightness.
 */
import { expectObject } from '../../expect.js';
import { ShapeError } from '../../errors.js';
import { defineKernel, dispatchThreads, type Dispatch } from '../../tensor/kernel.js';
import { formatShape, sizeOf } from '../../tensor/shape.js';
import { launch, type Tensor, expectTensor } from '../../tensor/tensor.js';
import { type AugmentAttributes, DEFECTS_SIZE, fillModes, TRANSFORM_SIZE } from './attributes.js';
import { finish, spoiled, warp } from './augment.twin.js';
import { needsPicture, warpShader, wholeShader } from './augment.wgsl.js';

/** pictures [N,H,W,C] uint8, indices [B] uint32, transforms [B,TRANSFORM_SIZE] → batch [B,H,W,C] */
export const augmentKernel = defineKernel<AugmentAttributes>({
  name: 'augment',
  outputs([pictures, indices, transforms, defects], { featurewiseMean, featurewiseStd }) {
    if (pictures.length !== 4)
      throw new ShapeError(`augment: pictures expects [N,H,W,C], got ${formatShape(pictures)}`);
    if (transforms[0] !== indices[0] || transforms[1] !== TRANSFORM_SIZE) {
      throw new ShapeError(
        `augment: transforms expects [${indices[0]},${TRANSFORM_SIZE}], got ${formatShape(transforms)}`,
      );
    }
    if (defects && (defects[0] !== indices[0] || defects[1] !== DEFECTS_SIZE)) {
      throw new ShapeError(`augment: defects expects [${indices[0]},${DEFECTS_SIZE}], got ${formatShape(defects)}`);
    }
    for (const [name, values] of Object.entries({ featurewiseMean, featurewiseStd })) {
      if (!values || values.length === pictures[3]) continue;
      throw new ShapeError(`augment: ${name} expects ${pictures[3]} values, one a channel, got ${values.length}`);
    }
    return [{ shape: [indices[0], ...pictures.slice(1)], dtype: 'float32' }];
  },
  twin(
    { inputs: [pictures, indices, transforms, defects], outputs: [batch] },
    { inputs: [, , shape], outputs: [output] },
    attributes,
  ) {
    const picture = output.slice(1);
    const size = sizeOf(picture);
    for (let n = 0; n < shape[0]; n++) {
      const m = n * TRANSFORM_SIZE;
      if (defects) {
        const levels = spoiled(pictures, indices[n] * size, picture, defects, n * DEFECTS_SIZE);
        warp({ pictures: levels, batch, transforms }, picture, attributes, 0, m, n * size);
      } else warp({ pictures, batch, transforms }, picture, attributes, indices[n] * size, m, n * size);
      finish(batch, transforms, n * size, size, picture[2], m, attributes);
    }
  },
  wgsl({ inputs: [pictures, , , hasDefects], outputs: [batch] }, attributes) {
    const [, HEIGHT, WIDTH, CHANNELS] = pictures;
    const [samples] = batch;
    const { rescale, fillValue = 0 } = attributes;
    return {
      steps: ({ inputs, outputs }) => {
        const constants = { HEIGHT, WIDTH, CHANNELS, FILL: fillValue, RESCALE: rescale };
        const warped = dispatchThreads(
          warpShader(attributes, CHANNELS, hasDefects !== undefined),
          sizeOf(batch),
          [...inputs.slice(0, 3), ...outputs, ...inputs.slice(3)],
          constants,
        );
        if (!needsPicture(attributes)) return [warped];
        const columns = Math.min(samples, 32768); // of workgroups; a dimension holds 65,535
        const whole: Dispatch = {
          code: wholeShader(attributes, CHANNELS),
          constants: { SAMPLES: samples, SIZE: HEIGHT * WIDTH * CHANNELS, CHANNELS, RESCALE: rescale },
          bindings: [inputs[2], ...outputs],
          workgroups: [columns, Math.ceil(samples / columns), 1],
        };
        return [warped, whole];
      },
    };
  },
  // The warp and the factor, all that nearly every training takes; with anything else the twin does it all.
  wasm({ inputs: [[, height, width, channels], [samples], , defects] }, attributes) {
    const { interpolation, fillMode = 'nearest', fillValue = 0, rescale, brightness = 'none' } = attributes;
    const { featurewiseMean, featurewiseStd } = attributes;
    if (defects || needsPicture(attributes) || brightness !== 'none' || featurewiseMean || featurewiseStd) return null;
    const warping = [TRANSFORM_SIZE, Number(interpolation === 'bilinear'), fillModes.indexOf(fillMode)];
    return {
      steps: ({ inputs, outputs }) => [
        {
          function: 'warp',
          parts: samples,
          arguments: [...inputs, ...outputs, height, width, channels, ...warping, fillValue, rescale],
        },
      ],
    };
  },
});

/**
 * @param pictures [N,H,W,C] uint8
 * @param indices [B] uint32: which pictures
 * @param transforms [B,TRANSFORM_SIZE]: see above
 * @param defects [B,DEFECTS_SIZE]: see above
 * @returns [B,H,W,C] float32; pictures have no gradient
 */
export function augment(
  pictures: Tensor,
  indices: Tensor,
  transforms: Tensor,
  attributes: AugmentAttributes,
  defects: Tensor | null = null,
): Tensor {
  expectTensor(pictures, 'augment: pictures');
  expectTensor(indices, 'augment: indices');
  expectTensor(transforms, 'augment: transforms');
  expectObject(attributes, 'augment: attributes');
  const inputs = [pictures, indices, transforms, ...(defects ? [defects] : [])];
  return launch(augmentKernel, inputs, attributes)[0];
}
