/**
 * Stands in for fflate, which the PMTiles reader falls back on where a browser has no DecompressionStream: every one
 * since spring 2023 has it. An older one goes without the reference map, and all others save the code.
 */
export function decompressSync(): never {
  throw new ReferenceError('DecompressionStream');
}
