/**
 * Pictures of a belt from a seed: three lanes of baked portions seen from above, moving right. Class `ok` is a well-filled
 * belt, class `gap` one with an empty stretch across all lanes. A stand-in for a factory's own pictures.
 *
 * A picture is planned first (what lies where, under which light; every random decision but the camera's noise), then
 * painted. Lengths are in picture heights, from the picture's top left corner; colours are RGB in [0, 1].
 */
import { UsageError } from '../errors.js';
import { Random, RandomStream } from '../tensor/random.js';
import type { Picture } from './picture.js';

/** What a belt picture shows. */
export type BeltLabel = 'gap' | 'ok';

/** No `ok` picture has an empty stretch across all lanes longer than this share of the picture's width. */
export const LONGEST_OK_STRETCH = 0.1;

/**
 * Every `gap` picture has an empty stretch across all lanes of at least this share of the width. The distance between the
 * two limits lets the class survive the augmentation: zoomed by 20 % against each other they are 0.27 and 0.125.
 */
export const SHORTEST_GAP_STRETCH = 0.32;

export interface BeltPictureOptions {
  /** Of the whole set: an integer from 0, of at most 53 bits. */
  readonly seed: number;
  /** Of the picture within its class, below 2^32. */
  readonly index: number;
  readonly label: BeltLabel;
  /** In pixels, from 32 to 4096. */
  readonly width: number;
  /** In pixels, from 32 to the width: in a picture higher than wide, the usual distance of two portions would be a gap. */
  readonly height: number;
}

type Colour = readonly [red: number, green: number, blue: number];

/** A dark piece baked into a portion; its place is in the portion's own frame. */
interface Chip {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

/** A baked portion: a rounded rectangle (a disc where the corner is as large as both halves) with an uneven outline. */
export interface Portion {
  readonly lane: number;
  /** Centre. */
  readonly x: number;
  readonly y: number;
  readonly halfLength: number;
  readonly halfWidth: number;
  readonly corner: number;
  /** Radians. */
  readonly rotation: number;
  readonly colour: Colour;
  readonly chips: readonly Chip[];
  /** Where in the noise this portion's surface lies. */
  readonly grain: number;
}

interface Belt {
  readonly colour: Colour;
  /** Distance of the middle lane from the picture's top. */
  readonly middle: number;
  readonly halfWidth: number;
  /** Places of the seams, and how dark they are (0 … 1). */
  readonly seamSpacing: number;
  readonly seamPhase: number;
  readonly seamDepth: number;
  readonly weave: number;
  readonly stain: number;
  readonly grain: number;
  readonly crumbs: readonly Chip[];
}

interface Light {
  readonly exposure: number;
  readonly tint: Colour;
  /** Change of the light per picture height. */
  readonly slopeX: number;
  readonly slopeY: number;
  /** Direction that the light comes from, in radians, and how far a shadow falls. */
  readonly angle: number;
  readonly shadowLength: number;
  readonly shadowDepth: number;
  /** A broad shadow that something beside the belt casts across it. */
  readonly beamPosition: number;
  readonly beamWidth: number;
  readonly beamAngle: number;
  readonly beamDepth: number;
}

interface Camera {
  /** Radians. */
  readonly tilt: number;
  /** Share of a pixel's light that its two neighbours get, along and across the belt. */
  readonly blurX: number;
  readonly blurY: number;
  /** Standard deviation of the noise. */
  readonly noise: number;
  readonly noiseKey: number;
}

/** All that a picture shows. */
export interface BeltScene {
  /** Width of the picture, in picture heights. */
  readonly aspect: number;
  readonly portions: readonly Portion[];
  readonly belt: Belt;
  readonly light: Light;
  readonly camera: Camera;
}

/**
 * A picture of a belt. The same options give the same picture.
 *
 * @throws UsageError for options out of range
 */
export function beltPicture(options: BeltPictureOptions): Picture {
  checkWhole('seed', options.seed, 0, Number.MAX_SAFE_INTEGER);
  checkWhole('index', options.index, 0, 2 ** 32 - 1);
  checkBeltSize(options.width, options.height);
  return paint(planBelt(options), options.width, options.height);
}

/** @throws UsageError for a size that `beltPicture` cannot make */
export function checkBeltSize(width: number, height: number): void {
  checkWhole('width', width, 32, 4096);
  checkWhole('height', height, 32, width);
}

/** @throws UsageError unless `value` is a whole number from `least` to `most` */
export function checkWhole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new UsageError(`${name}: expected a whole number from ${least} to ${most}, received ${String(value)}`);
}

// The plan.

const LANES = 3;

/** Kinds of belt: the colour, made darker or lighter by a picture's draw. */
const beltColours: readonly Colour[] = [
  [0.82, 0.82, 0.79], // white polyurethane
  [0.3, 0.47, 0.66], // blue
  [0.31, 0.5, 0.42], // green
  [0.52, 0.53, 0.54], // grey
  [0.2, 0.205, 0.215], // dark rubber
];

/** Kinds of dough. */
const doughColours: readonly Colour[] = [
  [0.27, 0.16, 0.1], // dark chocolate
  [0.42, 0.25, 0.15], // brownie
  [0.62, 0.42, 0.25], // caramel
  [0.8, 0.62, 0.4], // golden biscuit
];

/** Dough and belt differ at least by this (distance in RGB), so that a portion can be seen; each belt has such a dough. */
const LEAST_CONTRAST = 0.36;

/** What lies on the belt, and how it is lit and taken: every random decision about a picture but its noise. */
export function planBelt({ seed, index, label, width, height }: BeltPictureOptions): BeltScene {
  const random = new Random(seed, RandomStream.synthetic, index, label === 'gap' ? 0 : 1);
  const aspect = width / height;
  const zoom = random.uniform(0.94, 1.07);
  const belt = planSurface(random, aspect, zoom);
  const product = planProduct(random, belt.colour, zoom);
  const portions = label === 'ok' ? fillBelt(random, product, belt, aspect) : starveBelt(random, product, belt, aspect);
  return { aspect, portions, belt, light: planLight(random, aspect), camera: planCamera(random) };
}

function planSurface(random: Random, aspect: number, zoom: number): Belt {
  const middle = 0.5 + random.uniform(-0.025, 0.025);
  const halfWidth = 0.47 * zoom;
  return {
    colour: scaled(choice(random, beltColours), random.uniform(0.8, 1.12)),
    middle,
    halfWidth,
    // links of a modular belt, or the splices of a plain one
    seamSpacing: random.uniform() < 0.4 ? random.uniform(0.07, 0.16) : random.uniform(0.5, 1.3),
    seamPhase: random.uniform(),
    seamDepth: random.uniform(0.08, 0.3),
    weave: random.uniform(0.01, 0.05),
    stain: random.uniform(0.03, 0.14),
    grain: random.integer(NOISE_SIZE),
    crumbs: Array.from({ length: random.integer(40) }, () => ({
      x: random.uniform(0, aspect),
      y: middle + random.uniform(-halfWidth, halfWidth),
      radius: random.uniform(0.002, 0.008),
    })),
  };
}

/** What is baked today: the portions of a picture vary about it. */
interface Product {
  readonly colour: Colour;
  readonly halfLength: number;
  readonly halfWidth: number;
  /** Corner radius as a share of the smaller half. */
  readonly roundness: number;
  readonly chipCount: number;
  /** Usual distance between two portions of a lane. */
  readonly spacing: number;
  readonly lanePitch: number;
  /** Share of the portions that are missing. */
  readonly missing: number;
}

function planProduct(random: Random, beltColour: Colour, zoom: number): Product {
  let colour: Colour;
  do {
    colour = scaled(choice(random, doughColours), random.uniform(0.85, 1.15));
  } while (distance(colour, beltColour) < LEAST_CONTRAST);
  const isRound = random.uniform() < 0.5;
  const halfWidth = zoom * random.uniform(0.095, 0.132);
  return {
    colour,
    halfLength: isRound ? halfWidth : halfWidth * random.uniform(0.85, 1.15),
    halfWidth,
    roundness: isRound ? 1 : random.uniform(0.2, 0.55),
    chipCount: random.uniform() < 0.7 ? 4 + random.integer(6) : 0,
    spacing: zoom * random.uniform(0.008, 0.04),
    lanePitch: zoom * random.uniform(0.288, 0.302),
    missing: random.uniform(0, 0.12),
  };
}

/** The portions of a well-filled belt. Single ones are missing, but never so that an empty stretch crosses all lanes. */
function fillBelt(random: Random, product: Product, belt: Belt, aspect: number): Portion[] {
  // what the camera's tilt adds to a stretch is in the margin
  const longest = 0.8 * LONGEST_OK_STRETCH * aspect;
  const lanes = Array.from({ length: LANES }, (_, lane) =>
    fillLane(random, product, belt, lane, -random.uniform(0.3, 0.8), aspect + 0.3),
  );
  let kept = lanes.flat();
  for (const lane of lanes) {
    let isAfterHole = false;
    for (const portion of lane) {
      const others = kept.filter((other) => other !== portion);
      const isMissing: boolean =
        random.uniform() < product.missing && !isAfterHole && longestEmptyStretch(others, aspect) <= longest;
      if (isMissing) kept = others;
      isAfterHole = isMissing;
    }
  }
  return kept;
}

/** The portions of a belt with a gap: full lanes to both sides of a stretch where nothing lies. */
function starveBelt(random: Random, product: Product, belt: Belt, aspect: number): Portion[] {
  const length = aspect * random.uniform(1.08 * SHORTEST_GAP_STRETCH, 0.52);
  const start = random.uniform(0.16 * aspect, 0.84 * aspect - length);
  const raggedness = random.uniform(0, 0.1 * aspect);
  const kept: Portion[] = [];
  for (let lane = 0; lane < LANES; lane++) {
    // the left part is laid from the gap leftwards: a lane filled rightwards, mirrored about the gap's left end
    const left = fillLane(random, product, belt, lane, raggedness * random.uniform(), start + 0.3);
    const right = fillLane(random, product, belt, lane, start + length + raggedness * random.uniform(), aspect + 0.3);
    kept.push(...left.map((portion) => ({ ...portion, x: start - portion.x })), ...right);
  }
  return kept.filter(() => random.uniform() >= product.missing);
}

/** Portions side by side in one lane, the first beginning at `from`, the last beginning before `to`. */
function fillLane(random: Random, product: Product, belt: Belt, lane: number, from: number, to: number): Portion[] {
  const portions: Portion[] = [];
  let edge = from;
  while (edge < to) {
    const size = random.uniform(0.92, 1.06);
    const halfLength = product.halfLength * size;
    const halfWidth = product.halfWidth * size * random.uniform(0.95, 1.05);
    const corner = product.roundness * Math.min(halfLength, halfWidth);
    const shape = { halfLength, halfWidth, corner, rotation: random.uniform(-0.16, 0.16) };
    const reach = reachAlongBelt(shape);
    portions.push({
      ...shape,
      lane,
      x: edge + reach,
      y: belt.middle + (lane - 1) * product.lanePitch + random.uniform(-0.01, 0.01),
      colour: scaled(product.colour, random.uniform(0.86, 1.14)),
      chips: Array.from({ length: product.chipCount }, () => planChip(random, halfLength, halfWidth)),
      grain: random.integer(NOISE_SIZE * NOISE_SIZE),
    });
    edge += 2 * reach + product.spacing * random.uniform(0.4, 1.7);
  }
  return portions;
}

function planChip(random: Random, halfLength: number, halfWidth: number): Chip {
  const angle = random.uniform(0, 2 * Math.PI);
  const way = Math.sqrt(random.uniform(0, 0.6)); // uniform over a disc that stays clear of the rim
  return {
    x: halfLength * way * Math.cos(angle),
    y: halfWidth * way * Math.sin(angle),
    radius: halfWidth * random.uniform(0.08, 0.15),
  };
}

/** How far a turned portion reaches from its centre along the belt. */
function reachAlongBelt({
  halfLength,
  halfWidth,
  corner,
  rotation,
}: Pick<Portion, 'halfLength' | 'halfWidth' | 'corner' | 'rotation'>): number {
  const along = (halfLength - corner) * Math.abs(Math.cos(rotation));
  const across = (halfWidth - corner) * Math.abs(Math.sin(rotation));
  return along + across + corner;
}

/** The longest stretch of the picture in which no lane holds anything. */
function longestEmptyStretch(portions: readonly Portion[], aspect: number): number {
  const byStart = portions
    .map((portion) => ({ start: portion.x - reachAlongBelt(portion), end: portion.x + reachAlongBelt(portion) }))
    .toSorted((a, b) => a.start - b.start);
  let longest = 0;
  let filledTo = 0;
  for (const { start, end } of byStart) {
    longest = Math.max(longest, Math.min(start, aspect) - filledTo);
    filledTo = Math.max(filledTo, end);
  }
  return Math.max(longest, aspect - filledTo);
}

function planLight(random: Random, aspect: number): Light {
  const warmth = random.uniform(-0.05, 0.05);
  return {
    exposure: random.uniform(0.7, 1.2),
    tint: [1 + warmth, 1 + random.uniform(-0.02, 0.02), 1 - warmth],
    slopeX: random.uniform(-0.22, 0.22),
    slopeY: random.uniform(-0.22, 0.22),
    angle: random.uniform(0, 2 * Math.PI),
    shadowLength: random.uniform(0.006, 0.028),
    shadowDepth: random.uniform(0.25, 0.6),
    beamPosition: random.uniform(0, aspect),
    beamWidth: random.uniform(0.1, 0.35),
    beamAngle: random.uniform(-0.6, 0.6),
    beamDepth: random.uniform() < 0.35 ? random.uniform(0.08, 0.3) : 0,
  };
}

function planCamera(random: Random): Camera {
  return {
    tilt: random.uniform(-0.02, 0.02),
    blurX: random.uniform(0.04, 0.25),
    blurY: random.uniform(0.02, 0.18),
    noise: random.uniform(0.008, 0.03),
    noiseKey: random.bits(),
  };
}

function choice<Item>(random: Random, items: readonly Item[]): Item {
  return items[random.integer(items.length)];
}

function scaled([red, green, blue]: Colour, factor: number): Colour {
  return [red * factor, green * factor, blue * factor];
}

function distance(a: Colour, b: Colour): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

// The painting.

/** A picture in the making. */
interface Canvas {
  readonly width: number;
  readonly height: number;
  /** What the surfaces reflect: RGB, [height, width, 3] */
  readonly colours: Float32Array;
}

function paint(scene: BeltScene, width: number, height: number): Picture {
  const canvas: Canvas = { width, height, colours: new Float32Array(width * height * 3) };
  paintBelt(canvas, scene);
  for (const crumb of scene.belt.crumbs) paintCrumb(canvas, scene, crumb);
  for (const portion of scene.portions) paintShadow(canvas, scene, portion);
  for (const portion of scene.portions) paintPortion(canvas, scene, portion);
  illuminate(canvas, scene);
  blur(canvas, scene.camera);
  return develop(canvas, scene.camera);
}

/** Belt, seams and the steel rails beside it. */
function paintBelt({ width, height, colours }: Canvas, { aspect, belt, camera }: BeltScene): void {
  const cosine = Math.cos(camera.tilt);
  const sine = Math.sin(camera.tilt);
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
  const seenX = aspect / 2 + Math.cos(camera.tilt) * beltX - Math.sin(camera.tilt) * beltY;
  const seenY = 0.5 + Math.cos(camera.tilt) * beltY + Math.sin(camera.tilt) * beltX;
  const firstRow = Math.max(0, Math.floor((seenY - reach) * height));
  const endRow = Math.min(height, Math.ceil((seenY + reach) * height));
  const firstColumn = Math.max(0, Math.floor((seenX - reach) * height));
  const endColumn = Math.min(width, Math.ceil((seenX + reach) * height));
  const cosine = Math.cos(camera.tilt + rotation);
  const sine = Math.sin(camera.tilt + rotation);
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
    x: portion.x - shadowLength * Math.cos(angle),
    y: portion.y - shadowLength * Math.sin(angle),
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
  const lightX = Math.cos(scene.light.angle - portion.rotation);
  const lightY = Math.sin(scene.light.angle - portion.rotation);
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
  return Math.hypot(halfLength - corner, halfWidth - corner) + corner;
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

/** Light with its slope, its fall towards the corners, and the broad shadow. */
function illuminate({ width, height, colours }: Canvas, { aspect, light }: BeltScene): void {
  const [red, green, blue] = light.tint;
  const beamX = Math.cos(light.beamAngle) / light.beamWidth;
  const beamY = Math.sin(light.beamAngle) / light.beamWidth;
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
  const unit = (255 * camera.noise) / Math.sqrt((2 * (256 ** 2 - 1)) / 12);
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

function smoothstep(low: number, high: number, value: number): number {
  const t = Math.min(1, Math.max(0, (value - low) / (high - low)));
  return t * t * (3 - 2 * t);
}

/** Mixes the bits of a 32-bit integer. Source: Chris Wellons, "Prospecting for hash functions" (lowbias32). */
function hash(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x7feb352d);
  bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** The noise repeats after so many units. */
const NOISE_SIZE = 128;

const lattice = Float32Array.from({ length: NOISE_SIZE * NOISE_SIZE }, (_, index) => hash(index + 1) * 2 ** -32);

/** Value noise in [0, 1): random values at whole numbers, smoothly joined. */
function noise(x: number, y: number): number {
  const left = Math.floor(x);
  const top = Math.floor(y);
  const acrossX = x - left;
  const acrossY = y - top;
  const shareX = acrossX * acrossX * (3 - 2 * acrossX);
  const shareY = acrossY * acrossY * (3 - 2 * acrossY);
  const mask = NOISE_SIZE - 1;
  const upper = (top & mask) * NOISE_SIZE;
  const lower = ((top + 1) & mask) * NOISE_SIZE;
  const column = left & mask;
  const next = (left + 1) & mask;
  const above = lattice[upper + column] + shareX * (lattice[upper + next] - lattice[upper + column]);
  const below = lattice[lower + column] + shareX * (lattice[lower + next] - lattice[lower + column]);
  return above + shareY * (below - above);
}
