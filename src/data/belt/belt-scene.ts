/**
 * What is asked of a belt picture, and all that it then shows. Lengths are in picture heights, from the picture's top left
 * corner; colours are RGB in [0, 1].
 */

/** What a belt picture shows. */
export type BeltLabel = 'gap' | 'ok';

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

export type Colour = readonly [red: number, green: number, blue: number];

/** A dark piece baked into a portion; its place is in the portion's own frame. */
export interface Chip {
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

export interface Belt {
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

export interface Light {
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

export interface Camera {
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
