/** The surfaces that a belt picture shows, before light and camera: the belt, the crumbs, the portions with their shadows. */
import { cos, hypot, sin } from '../../tensor/exact-math.js';
import { noise, NOISE_SIZE, smoothstep } from './belt-noise.js';
import type { BeltScene, Chip, Colour, Portion } from './belt-scene.js';

/** A picture in the making. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  /** What the surfaces reflect: RGB, [height, width, 3] */
  readonly colours: Float32Array;
}

/** A canvas of this size, in pixels, with all surfaces of the scene. */
export function paintSurfaces(scene: BeltScene, width: number, height: number): Canvas {
  const canvas: Canvas = { width, height, colours: new Float32Array(width * height * 3) };
  paintBelt(canvas, scene);
  for (const crumb of scene.belt.crumbs) paintCrumb(canvas, scene, crumb);
  for (const portion of scene.portions) paintShadow(canvas, scene, portion);
  for (const portion of scene.portions) paintPortion(canvas, scene, portion);
  return canvas;
}

/** Belt, seams and the steel rails beside it. */
function paintBelt({ width, height, colours }: Canvas, { aspect, belt, camera }: BeltScene): void {
  const cosine = cos(camera.tilt);
  const sine = sin(camera.tilt);
  const pixel = 1 / height;
  const [red, green, blue] = belt.colour;
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at += 3) {
      const fromCentreX = (column + 0.5) * pixel - aspect / 2;
      const fromCentreY = (row + 0.5) * pixel - 0.5;
      const x = aspect / 2 + cosine * fromCentreX + sine * fromCentreY;
      const y = 0.5 + cosine * fromCentreY - sine * fromCentreX;
      const streak = noise(x * 3, y * 60 + belt.grain);
      const beyond = Math.abs(y - belt.middle) - belt.halfWidth;
      if (beyond > 0) {
        // the rail: brushed steel, dark where it meets the belt
        const steel = (0.5 + 0.2 * streak) * smoothstep(-0.004, 0.02, beyond);
        colours[at] = steel;
        colours[at + 1] = steel * 1.01;
        colours[at + 2] = steel * 1.03;
        continue;
      }
      const weave = noise(x * 110, y * 110) - 0.5;
      const stain = noise(x * 5 + belt.grain, y * 5) - 0.5;
      const place = x / belt.seamSpacing + belt.seamPhase;
      const toSeam = Math.abs(place - Math.round(place)) * belt.seamSpacing;
      const seam = 1 - belt.seamDepth * (1 - smoothstep(0.002, 0.007, toSeam));
      const rim = 0.75 + 0.25 * smoothstep(0, 0.03, -beyond);
      const level = (1 + 2 * belt.weave * weave + 2 * belt.stain * stain + 0.06 * (streak - 0.5)) * seam * rim;
      colours[at] = red * level;
      colours[at + 1] = green * level;
      colours[at + 2] = blue * level;
    }
  }
}

/**
 * Visits the rows of the picture within `reach` of a place on the belt. Rows rather than pixels: a call for each pixel
 * would take longer than what it paints.
 *
 * @param place centre of a frame on the belt that is turned by `rotation`
 * @param visit gets the indices of the row's first value and of the one after its last, the first pixel's place in that
 *   frame, and how far the place moves from one pixel to the next
 */
function forRowsAround(
  { width, height }: Canvas,
  { aspect, camera }: BeltScene,
  place: { readonly x: number; readonly y: number },
  rotation: number,
  reach: number,
  visit: (first: number, end: number, x: number, y: number, stepX: number, stepY: number) => void,
): void {
  // from the belt to the picture: turned by the tilt about the picture's centre
  const beltX = place.x - aspect / 2;
  const beltY = place.y - 0.5;
  const seenX = aspect / 2 + cos(camera.tilt) * beltX - sin(camera.tilt) * beltY;
  const seenY = 0.5 + cos(camera.tilt) * beltY + sin(camera.tilt) * beltX;
  const firstRow = Math.max(0, Math.floor((seenY - reach) * height));
  const endRow = Math.min(height, Math.ceil((seenY + reach) * height));
  const firstColumn = Math.max(0, Math.floor((seenX - reach) * height));
  const endColumn = Math.min(width, Math.ceil((seenX + reach) * height));
  const cosine = cos(camera.tilt + rotation);
  const sine = sin(camera.tilt + rotation);
  const awayX = (firstColumn + 0.5) / height - seenX;
  for (let row = firstRow; row < endRow; row++) {
    const awayY = (row + 0.5) / height - seenY;
    const x = cosine * awayX + sine * awayY;
    const y = cosine * awayY - sine * awayX;
    visit((row * width + firstColumn) * 3, (row * width + endColumn) * 3, x, y, cosine / height, -sine / height);
  }
}

const crumbColour: Colour = [0.3, 0.19, 0.12];

function paintCrumb(canvas: Canvas, scene: BeltScene, crumb: Chip): void {
  const { colours, height } = canvas;
  const [red, green, blue] = crumbColour;
  forRowsAround(canvas, scene, crumb, 0, crumb.radius + 1 / height, (first, end, firstX, firstY, stepX, stepY) => {
    for (let at = first, x = firstX, y = firstY; at < end; at += 3, x += stepX, y += stepY) {
      blend(colours, at, 0.7 * coverage(Math.sqrt(x * x + y * y) - crumb.radius, height), red, green, blue);
    }
  });
}

/** Darkens the belt beside a portion, away from the light. */
function paintShadow(canvas: Canvas, scene: BeltScene, portion: Portion): void {
  const { colours } = canvas;
  const { angle, shadowLength, shadowDepth } = scene.light;
  const softness = 0.4 * shadowLength + 0.004;
  const place = {
    x: portion.x - shadowLength * cos(angle),
    y: portion.y - shadowLength * sin(angle),
  };
  const reach = outerRadius(portion) + softness;
  forRowsAround(canvas, scene, place, portion.rotation, reach, (first, end, firstX, firstY, stepX, stepY) => {
    for (let at = first, x = firstX, y = firstY; at < end; at += 3, x += stepX, y += stepY) {
      const outside = distanceToOutline(portion, x, y);
      if (outside >= softness) continue;
      const kept = 1 - shadowDepth * (1 - smoothstep(-softness, softness, outside));
      colours[at] *= kept;
      colours[at + 1] *= kept;
      colours[at + 2] *= kept;
    }
  });
}

/** How far the uneven outline of a portion may lie from the smooth one. */
const UNEVENNESS = 0.008;

/** A portion's surface: a low dome with a baked rim, uneven crust, and chips. */
function paintPortion(canvas: Canvas, scene: BeltScene, portion: Portion): void {
  const { colours, height } = canvas;
  const size = Math.min(portion.halfLength, portion.halfWidth);
  const lightX = cos(scene.light.angle - portion.rotation);
  const lightY = sin(scene.light.angle - portion.rotation);
  const grainX = portion.grain % NOISE_SIZE;
  const grainY = Math.floor(portion.grain / NOISE_SIZE);
  const [red, green, blue] = portion.colour;
  const margin = UNEVENNESS + 1 / height;

  /** Light that the surface sends back at a place inside the outline. */
  const levelAt = (x: number, y: number, outside: number): number => {
    const depth = Math.min(1, Math.max(0, -outside / size));
    // slope of the dome: steep at the rim, flat inside; and of the crust, by a difference of heights towards the light
    const steepness = (1 - smoothstep(0, 0.4, depth)) / size;
    const dome = 0.3 * steepness * (x * lightX + y * lightY);
    const crustX = 40 * x + grainX;
    const crustY = 40 * y + grainY;
    const crust = noise(crustX, crustY) - noise(crustX + 0.32 * lightX, crustY + 0.32 * lightY);
    const mottle = noise(14 * x + grainY, 14 * y + grainX) + 0.5 * noise(75 * x + grainY, 75 * y + grainX) - 0.75;
    const baked = 0.72 + 0.28 * smoothstep(0, 0.3, depth);
    return baked * (1 + dome + 0.5 * crust + 0.28 * mottle);
  };

  /** What the chips leave of it: they are darker, with a lit and a shaded side. */
  const leftByChips = (x: number, y: number): number => {
    let left = 1;
    for (const chip of portion.chips) {
      const chipX = x - chip.x;
      const chipY = y - chip.y;
      const within = 1.5 * chip.radius;
      if (chipX > within || chipX < -within || chipY > within || chipY < -within) continue;
      const cover = coverage(Math.sqrt(chipX * chipX + chipY * chipY) - chip.radius, height);
      left *= (1 + (0.25 * (chipX * lightX + chipY * lightY)) / chip.radius) * (1 - 0.6 * cover);
    }
    return left;
  };

  const reach = outerRadius(portion) + margin;
  forRowsAround(canvas, scene, portion, portion.rotation, reach, (first, end, firstX, firstY, stepX, stepY) => {
    for (let at = first, x = firstX, y = firstY; at < end; at += 3, x += stepX, y += stepY) {
      const smooth = distanceToOutline(portion, x, y);
      if (smooth > margin) continue;
      const outside = smooth + 2 * UNEVENNESS * (noise(22 * x + grainX, 22 * y + grainY) - 0.5);
      const cover = coverage(outside, height);
      if (cover === 0) continue;
      const level = levelAt(x, y, outside) * leftByChips(x, y);
      blend(colours, at, cover, red * level, green * level, blue * level);
    }
  });
}

function blend(colours: Float32Array, at: number, cover: number, red: number, green: number, blue: number): void {
  colours[at] += cover * (red - colours[at]);
  colours[at + 1] += cover * (green - colours[at + 1]);
  colours[at + 2] += cover * (blue - colours[at + 2]);
}

/** Radius of a disc about a portion. */
function outerRadius({ halfLength, halfWidth, corner }: Portion): number {
  return hypot(halfLength - corner, halfWidth - corner) + corner;
}

/** Signed distance of a place in the portion's frame to its smooth outline, negative inside. */
function distanceToOutline({ halfLength, halfWidth, corner }: Portion, x: number, y: number): number {
  const outX = Math.abs(x) - (halfLength - corner);
  const outY = Math.abs(y) - (halfWidth - corner);
  if (outX > 0 && outY > 0) return Math.sqrt(outX * outX + outY * outY) - corner;
  return Math.max(outX, outY) - corner;
}

/** Share of a pixel that lies inside an outline at this signed distance: 0 … 1 over the width of a pixel. */
function coverage(outside: number, height: number): number {
  return Math.min(1, Math.max(0, 0.5 - outside * height));
}
