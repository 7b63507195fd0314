/** What our code takes from browsers and Node beside the language, in its plainest form; before all other modules. */
globalThis.TextEncoder ??= class {
  encode(text) {
    return Uint8Array.from(unescape(encodeURIComponent(text)), (letter) => letter.charCodeAt(0));
  }
};
globalThis.TextDecoder ??= class {
  decode(bytes) {
    return decodeURIComponent(escape(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')));
  }
};
globalThis.atob ??= (text) => {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  let [bits, held, out] = [0, 0, ''];
  for (const letter of text.replace(/=+$/, '')) {
    bits = (bits << 6) | digits.indexOf(letter);
    held += 6;
    if (held >= 8) out += String.fromCharCode((bits >> (held -= 8)) & 255);
  }
  return out;
};
globalThis.performance ??= { now: () => Date.now() };
globalThis.setTimeout ??= (work) => Promise.resolve().then(work);
globalThis.structuredClone ??= (value) => JSON.parse(JSON.stringify(value));
