/** The problem is laid out as in Keras (channels last); these rearrange it for peers that put channels first. */

/** x [n,H,W,C] → [n,C,H,W] */
export function channelsFirst(x, { height, width, channels }) {
  const positions = height * width;
  return Float32Array.from(x, (_, i) => {
    const picture = i - (i % (positions * channels));
    const [channel, position] = [Math.floor(i / positions) % channels, i % positions];
    return x[picture + position * channels + channel];
  });
}

/** A convolution's kernel [KH,KW,C,K] → [K,C,KH,KW] */
export function filtersFirst({ shape: [kernelHeight, kernelWidth, channels, filters], data }) {
  const area = kernelHeight * kernelWidth;
  const out = Float32Array.from(data, (_, i) => {
    const [filter, channel, tap] = [Math.floor(i / area / channels), Math.floor(i / area) % channels, i % area];
    return data[(tap * channels + channel) * filters + filter];
  });
  return { shape: [filters, channels, kernelHeight, kernelWidth], data: out };
}

/** Height and width of the map that is flattened: two 3×3 convolutions, each pooled 2×2. */
export function flattenedMap({ height, width }) {
  const half = (length) => Math.floor((length - 2) / 2);
  return [half(half(height)), half(half(width))];
}

/** The dense kernel behind the flattened map, [in,out]: rows from (row, column, channel) to (channel, row, column) order. */
export function rowsChannelsFirst({ shape, data }, network) {
  const [height, width] = flattenedMap(network);
  const [positions, columns] = [height * width, shape[1]];
  const out = Float32Array.from(data, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const [channel, position] = [Math.floor(row / positions), row % positions];
    return data[(position * network.filters + channel) * columns + column];
  });
  return { shape, data: out };
}
