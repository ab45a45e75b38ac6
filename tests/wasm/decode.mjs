// Decodes the payloads of a folder as its cases.json lists them: node decode.mjs FOLDER PACKAGE MODEL
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, packageFolder, model] = process.argv.slice(2);
const { PayloadError, loadDecoder } = await import(pathToFileURL(join(packageFolder, 'index.js')).href);
const decoder = await loadDecoder({ models: pathToFileURL(model), wasm: pathToFileURL(join(folder, 'decoder.wasm')) });

function read({ file, shape: [bands, height, width] }) {
  return { data: new Float32Array(Uint8Array.from(readFileSync(join(folder, file))).buffer), bands, height, width };
}

const results = [];
for (const { file, reduce, reference } of JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'))) {
  try {
    const options = reference ? { reduce, reference: read(reference) } : { reduce };
    const { data, bands, height, width } = await decoder.decode(readFileSync(join(folder, file)), options);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const dtype = data instanceof Float32Array ? 'float32' : 'uint16';
    results.push({ dtype, shape: [bands, height, width], sha256: createHash('sha256').update(bytes).digest('hex') });
  } catch (error) {
    results.push({ refused: error instanceof PayloadError, error: String(error) });
  }
}
writeFileSync(join(folder, 'results.json'), JSON.stringify(results));
