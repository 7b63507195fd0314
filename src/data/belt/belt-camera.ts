/** What the camera makes of the painted surfaces: lit, blurred, noisy, and rounded to 8 bits. */
import { cos, sin } from '../../tensor/exact-math.js';
import { hash, smoothstep } from './belt-noise.js';
import type { Canvas } from './belt-paint.js';
import type { BeltScene, Camera } from './belt-scene.js';
import type { Picture } from '../pictures/picture.js';

/** The picture of a canvas with the scene's surfaces; the canvas is used up. */
export function takePicture(canvas: Canvas, scene: BeltScene): Picture {
  illuminate(canvas, scene);
  blur(canvas, scene.camera);
  return develop(canvas, scene.camera);
}

/** Light with its slope, its fall towards the corners, and the broad shadow. */
function illuminate({ width, height, colours }: Canvas, { aspect, light }: BeltScene): void {
  const [red, green, blue] = light.tint;
  const beamX = cos(light.beamAngle) / light.beamWidth;
  const beamY = sin(light.beamAngle) / light.beamWidth;
  for (let row = 0, at = 0; row < height; row++) {
    const y = (row + 0.5) / height - 0.5;
    for (let column = 0; column < width; column++, at += 3) {
      const x = (column + 0.5) / height - aspect / 2;
      const fromBeam = Math.abs((x + aspect / 2 - light.beamPosition) * beamX + y * beamY);
      const beam = 1 - light.beamDepth * (1 - smoothstep(0.6, 1, fromBeam));
      const level = light.exposure * (1 + light.slopeX * x + light.slopeY * y - 0.12 * (x * x + y * y)) * beam;
      colours[at] *= red * level;
      colours[at + 1] *= green * level;
      colours[at + 2] *= blue * level;
    }
  }
}

/** The lens' and the motion's blur: three taps along each axis; the border keeps its value. */
function blur({ width, height, colours }: Canvas, { blurX, blurY }: Camera): void {
  const blurLine = (first: number, step: number, count: number, share: number) => {
    let before = colours[first];
    for (let place = 1, at = first + step; place < count - 1; place++, at += step) {
      const here = colours[at];
      colours[at] = here + share * (before + colours[at + step] - 2 * here);
      before = here;
    }
  };
  for (let row = 0; row < height; row++) {
    for (let channel = 0; channel < 3; channel++) blurLine(row * width * 3 + channel, 3, width, blurX);
  }
  for (let start = 0; start < width * 3; start++) blurLine(start, width * 3, height, blurY);
}

/** Adds the sensor's noise and rounds to 8 bits. */
function develop({ width, height, colours }: Canvas, camera: Camera): Picture {
  const data = new Uint8Array(width * height * 3);
  // The sum of two bytes is near enough to normal; its deviation is that of two uniform draws from 0 … 255. Neighbouring
  // channels share a byte: a sensor's noise is correlated too, because each pixel sees one colour and borrows the others.
  const unit = (255 * camera.noise) / Math.sqrt((2 * (256 * 256 - 1)) / 12);
  for (let pixel = 0, at = 0; pixel < width * height; pixel++, at += 3) {
    const bits = hash(pixel ^ camera.noiseKey);
    const first = bits & 255;
    const second = (bits >>> 8) & 255;
    const third = (bits >>> 16) & 255;
    data[at] = toByte(255 * colours[at] + unit * (first + second - 255));
    data[at + 1] = toByte(255 * colours[at + 1] + unit * (second + third - 255));
    data[at + 2] = toByte(255 * colours[at + 2] + unit * (third + (bits >>> 24) - 255));
  }
  return { width, height, data };
}

function toByte(value: number): number {
  return value <= 0 ? 0 : value >= 255 ? 255 : (value + 0.5) | 0;
}
