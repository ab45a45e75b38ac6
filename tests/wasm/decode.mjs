// Decodes the payloads of a folder as its cases.json lists them: node decode.mjs FOLDER PACKAGE MODEL…
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, packageFolder, ...models] = process.argv.slice(2);
const { PayloadError, loadDecoder } = await import(pathToFileURL(join(packageFolder, 'index.js')).href);
const decoder = await loadDecoder({ models: models.map((model) => pathToFileURL(model)), wasm: pathToFileURL(join(folder, 'decoder.wasm')) });

function read({ file, shape: [bands, height, width] }) {
  return { data: new Float32Array(Uint8Array.from(readFileSync(join(folder, file))).buffer), bands, height, width };
}

// A reference that was given, or one that is made of the blocks of a finer level.
function referenceOf({ under, ...known }) {
  if (!under) return read(known);
  const { files, ...place } = under;
  const payload = async (row, col) => (files[`${row},${col}`] ? readFileSync(join(folder, files[`${row},${col}`])) : null);
  return decoder.reference({ ...place, payload });
}

const results = [];
for (const { file, reduce, reference } of JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'))) {
  try {
    const options = reference ? { reduce, reference: await referenceOf(reference) } : { reduce };
    const payload = readFileSync(join(folder, file));
    const { data, bands, height, width } = await decoder.decode(payload, options);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (data instanceof Float32Array) writeFileSync(join(folder, file.replace('payload', 'pixels')), bytes);
    const dtype = data instanceof Float32Array ? 'float32' : 'uint16';
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    results.push({ dtype, shape: [bands, height, width], sha256, predicted: decoder.isPredicted(payload) });
  } catch (error) {
    results.push({ refused: error instanceof PayloadError, error: String(error) });
  }
}
writeFileSync(join(folder, 'results.json'), JSON.stringify(results));
