/**
 * What lies on the belt, under which light, and seen by which camera: every random decision about a picture but the
 * camera's noise.
 */
import { cos, hypot, sin } from '../../tensor/exact-math.js';
import { Random, RandomStream } from '../../tensor/random.js';
import { NOISE_SIZE } from './belt-noise.js';
import type { Belt, BeltPictureOptions, BeltScene, Camera, Chip, Colour, Light, Portion } from './belt-scene.js';

/** No `ok` picture has an empty stretch across all lanes longer than this share of the picture's width. */
export const LONGEST_OK_STRETCH = 0.1;

/**
 * Every `gap` picture has an empty stretch across all lanes of at least this share of the width. The distance between the
 * two limits lets the class survive the augmentation: zoomed by 20 % against each other they are 0.27 and 0.125.
 */
export const SHORTEST_GAP_STRETCH = 0.32;

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
    for (const portion of left) kept.push({ ...portion, x: start - portion.x });
    for (const portion of right) kept.push(portion);
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
    x: halfLength * way * cos(angle),
    y: halfWidth * way * sin(angle),
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
  const along = (halfLength - corner) * Math.abs(cos(rotation));
  const across = (halfWidth - corner) * Math.abs(sin(rotation));
  return along + across + corner;
}

/** The longest stretch of the picture in which no lane holds anything, in picture heights. */
export function emptyStretch(portions: readonly Portion[], aspect: number): { start: number; end: number } {
  const byStart = portions
    .map((portion) => ({ start: portion.x - reachAlongBelt(portion), end: portion.x + reachAlongBelt(portion) }))
    .toSorted((a, b) => a.start - b.start);
  let longest = { start: 0, end: 0 };
  let filledTo = 0;
  for (const { start, end } of [...byStart, { start: aspect, end: aspect }]) {
    const empty = { start: filledTo, end: Math.min(start, aspect) };
    if (empty.end - empty.start > longest.end - longest.start) longest = empty;
    filledTo = Math.max(filledTo, end);
  }
  return longest;
}

function longestEmptyStretch(portions: readonly Portion[], aspect: number): number {
  const { start, end } = emptyStretch(portions, aspect);
  return end - start;
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
  return hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
