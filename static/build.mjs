/**
 * Builds the viewer into dist/: index.html, and assets/ whose names carry a hash of their content and which lie
 * beside their own .gz and .br, so that the server never compresses and never goes stale.
 *
 *   node build.mjs            for production
 *   node build.mjs --watch    rebuilds on change, unminified
 *   node build.mjs --tests    bundles test/*.test.ts for node --test
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

import * as esbuild from 'esbuild';

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const source = path.join(here, 'src');
const output = path.join(here, 'dist');
const staging = path.join(here, '.cache', 'dist');
const gzip = promisify(zlib.gzip);
const brotli = promisify(zlib.brotliCompress);

/** A response of this size fits in one packet whether compressed or not. */
const NOT_WORTH_COMPRESSING = 200;

/** Of a package, or beside what imports it. */
const sheetPath = (folder, name) => (name.startsWith('.') ? path.resolve(folder, name) : path.join(here, 'node_modules', name));

/** A style sheet that TypeScript imports is its text: it comes with the chunk that needs it. */
const sheetsAsText = {
  name: 'sheets-as-text',
  setup(build) {
    build.onResolve({ filter: /\.css$/ }, ({ kind, path: name, resolveDir }) =>
      kind === 'import-statement' ? { path: sheetPath(resolveDir, name), namespace: 'sheet' } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'sheet' }, async ({ path: file }) => {
      const { code } = await esbuild.transform(await readFile(file, 'utf8'), { loader: 'css', minify: true });
      return { contents: code, loader: 'text', watchFiles: [file] };
    });
  },
};

/** What a page's first script cannot run without, as a list of files. */
async function firstModules(entry, options) {
  const { metafile } = await esbuild.build({ ...options, splitting: false, entryPoints: [entry], write: false, metafile: true });
  const found = new Set();
  const visit = (name) => {
    for (const { path: each, kind } of metafile.inputs[name]?.imports ?? []) {
      if (kind !== 'import-statement' || !each.startsWith('src/') || found.has(each)) continue;
      found.add(each);
      visit(each);
    }
  };
  visit(entry);
  return [...found];
}

/**
 * Has every chunk that comes later import all that came first. A chunk is made for each set of users that a module has:
 * without this the first picture would wait for twenty small files, on a slow link for the delay of four requests.
 */
const oneFirstChunk = (modules) => ({
  name: 'one-first-chunk',
  setup(build) {
    const lines = modules.map((name) => `import ${JSON.stringify(path.join(here, name))};`).join('');
    build.onResolve({ filter: /^\.{1,2}\// }, async ({ kind, path: name, resolveDir, importer, pluginData }) => {
      if (kind !== 'dynamic-import' || name.endsWith('.json') || pluginData?.seen) return undefined;
      const found = await build.resolve(name, { kind, resolveDir, importer, pluginData: { seen: true } });
      return found.errors.length > 0 ? found : { path: found.path, pluginData: { later: true } };
    });
    build.onLoad({ filter: /\.ts$/ }, async ({ path: file, pluginData }) =>
      pluginData?.later ? { contents: lines + (await readFile(file, 'utf8')), loader: 'ts' } : undefined,
    );
  },
});

const shared = {
  bundle: true,
  plugins: [sheetsAsText],
  format: 'esm',
  charset: 'utf8',  // a letter that is no ASCII is two or three bytes, not six
  target: ['es2022', 'chrome100', 'firefox100', 'safari15.4'],
  logLevel: 'warning',
  absWorkingDir: here,
};

async function write(file, bytes) {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, bytes);
}

/** Borders of countries, under a name that stays; see tileserver/countries/borders.py. */
const BORDERS = 'countries.json.gz';

/** Copies what `make reference` made, under names that carry a hash; answers what the code must know of it. */
async function writeReference(folder) {
  const made = async (name) => {
    const file = path.join(here, '.cache', 'reference', name);
    return await readFile(file).catch(() => {
      throw new Error(`The reference map is missing (${file}): run "make reference" in the folder above.`);
    });
  };
  const put = async (name) => {
    const bytes = await made(name);
    const [stem, extension] = name.split('.');
    const hashed = `assets/${stem}-${createHash('sha256').update(bytes).digest('hex').slice(0, 8)}.${extension}`;
    await write(path.join(folder, hashed), bytes);
    return hashed;
  };
  const described = JSON.parse(await made('reference.json'));
  await write(path.join(folder, BORDERS), await made(BORDERS)); // which the server reads, and no browser
  return { ...described, file: await put('reference.pmtiles'), gazetteer: await put('gazetteer.json') };
}

/** Where a build's outputs lie, and which of them a script cannot run without. */
function outputsOf(metafile) {
  const outputs = Object.entries(metafile.outputs);
  const built = (entry, extension) => {
    const found = outputs.find(([name, o]) => o.entryPoint === entry && name.endsWith(extension));
    if (!found) throw new Error(`The build has no ${extension} for ${entry}.`);
    return path.posix.relative('.cache/dist', found[0]);
  };
  /** An output, and every one that it can't run without. */
  const needed = (name) =>
    metafile.outputs[name].imports.filter(({ kind }) => kind === 'import-statement').flatMap((each) => [each.path, ...needed(each.path)]);
  const withNeeded = (name) => [name, ...needed(`.cache/dist/${name}`).map((each) => path.posix.relative('.cache/dist', each))];
  const size = (name) => metafile.outputs[`.cache/dist/${name}`].bytes;
  return { built, withNeeded, size };
}

const links = (names) => [...new Set(names)].map((name) => `<link rel="modulepreload" href="${name}">`).join('\n    ');

async function writePage(folder, metafile, icons) {
  const { built, withNeeded, size } = outputsOf(metafile);
  const app = built('src/main.ts', '.js');
  const first = withNeeded(app);
  /** What the first picture takes; the map's code comes after it. */
  const preload = (language) => links([...first.slice(1), built(`src/words/shell/${language}.json`, '.js')]);
  /** Most of the map's code is one file, MapLibre's. */
  const [heaviest] = withNeeded(built('src/map/map.ts', '.js')).sort((a, b) => size(b) - size(a));
  const page = (await readFile(path.join(source, 'index.html'), 'utf8'))
    .replaceAll('%APP%', app)
    .replaceAll('%STYLE%', built('src/style.css', '.css'))
    .replaceAll('%ICON%', icons['icon.svg'])
    .replaceAll('%TOUCH%', icons['icon-180.png'])
    .replace('%HEAVIEST%', links([heaviest]));
  await writeLanguages(folder, page, preload, ['words/shell']);
}

/** The page of geoservices, in a folder of its own: the server shows it only where there are geoservices. */
async function writeFollowPage(folder, metafile, icons) {
  const { built, withNeeded } = outputsOf(metafile);
  const app = built(FOLLOW, '.js');
  const first = withNeeded(app);
  const areas = ['words/shell', 'geoservices/words/follow'];
  const preload = (language) => links([...first.slice(1), ...areas.map((area) => built(`src/${area}/${language}.json`, '.js'))]);
  const page = (await readFile(path.join(source, 'follow.html'), 'utf8'))
    .replaceAll('%APP%', app)
    .replaceAll('%STYLE%', built('src/follow.css', '.css'))
    .replaceAll('%ICON%', icons['icon.svg']);
  await writeLanguages(path.join(folder, 'follow'), page, preload, areas);
}

/** A page in every language; `index.html` is the English one. */
async function writeLanguages(folder, page, preload, areas) {
  await write(path.join(folder, 'index.html'), page.replace('%PRELOAD%', preload('en')));
  for (const language of LANGUAGES) {
    const translated = await translate(page.replace('%PRELOAD%', preload(language)), language, areas);
    await write(path.join(folder, `index.${language}.html`), translated);
  }
}

const FOLLOW = 'src/geoservices/follow.ts';
const LANGUAGES = ['en', 'fr', 'pt', 'es', 'ar'];

/** The page in another language: texts of `data-t` and labels of `data-t-label`, from areas of words, the last one first. */
async function translate(page, language, areas) {
  const read = async (area) => JSON.parse(await readFile(path.join(source, area, `${language}.json`), 'utf8'));
  const words = Object.assign({}, ...(await Promise.all(areas.map(read))));
  const say = (key) => {
    if (typeof words[key] !== 'string') throw new Error(`The words of ${areas.join(' and ')} in ${language} have no ${key}.`);
    return words[key].replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
  };
  return page
    .replace('<html lang="en">', `<html lang="${language}" dir="${language === 'ar' ? 'rtl' : 'ltr'}">`)
    .replace(/ data-t="([\w-]+)">[^<]*</g, (_, key) => ` data-t="${key}">${say(key)}<`)
    .replace(/ aria-label="[^"]*" data-t-label="([\w-]+)"/g, (_, key) => ` aria-label="${say(key)}" data-t-label="${key}"`);
}

async function compressAll(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((e) => e.isFile() && /\.(html|js|css|svg|json)$/.test(e.name));
  await Promise.all(
    files.map(async (entry) => {
      const file = path.join(entry.parentPath ?? entry.path, entry.name);
      const bytes = await readFile(file);
      if (bytes.length < NOT_WORTH_COMPRESSING) return;
      const quality = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 11 } };
      const [gz, br] = await Promise.all([gzip(bytes, { level: 9 }), brotli(bytes, quality)]);
      await Promise.all([writeFile(`${file}.gz`, gz), writeFile(`${file}.br`, br)]);
    }),
  );
}

/** The icon, and pictures of it for what can't draw it (iOS); answers where each lies, by its name in src/. */
async function writeIcons(folder) {
  const found = {};
  for (const name of ['icon.svg', 'icon-180.png', 'icon-192.png', 'icon-512.png']) {
    const bytes = await readFile(path.join(source, name));
    const [stem, extension] = name.split('.');
    found[name] = `assets/${stem}-${createHash('sha256').update(bytes).digest('hex').slice(0, 8)}.${extension}`;
    await write(path.join(folder, found[name]), bytes);
  }
  return found;
}

/** What the browser installs: the service worker, under a name that stays, and the manifest beside it. */
async function writeInstallable(folder, icons) {
  await esbuild.build({ ...shared, entryPoints: ['src/offline/sw.ts'], outfile: path.join(folder, 'sw.js'), minify: true, legalComments: 'none' });
  const manifest = JSON.parse(await readFile(path.join(source, 'manifest.json'), 'utf8'));
  for (const each of manifest.icons) each.src = icons[each.src];
  await write(path.join(folder, 'manifest.webmanifest'), JSON.stringify(manifest));
}

/** Builds the script of the worker that makes films; answers where it lies. */
async function buildWorker(production) {
  const { metafile } = await esbuild.build({
    ...shared,
    entryPoints: ['src/tools/timelapse/worker.ts'],
    outdir: staging,
    entryNames: 'assets/film-[hash]',
    minify: production,
    legalComments: 'linked',
    metafile: true,
  });
  const [name] = Object.keys(metafile.outputs).filter((each) => each.endsWith('.js'));
  return path.posix.relative('.cache/dist', name);
}

/** Builds a page's scripts and style; pages share no chunks, so that none waits for what another one needs. */
async function buildEntries(first, entryPoints, define, production) {
  const modules = await firstModules(first, { ...shared, define, outdir: staging });
  const { metafile } = await esbuild.build({
    ...shared,
    plugins: [...shared.plugins, oneFirstChunk(modules)],
    entryPoints: [first, ...entryPoints],
    outdir: staging,
    entryNames: 'assets/[name]-[hash]',
    chunkNames: 'assets/[name]-[hash]',
    alias: { fflate: './src/map/inflate.ts' },
    splitting: true,
    minify: production,
    sourcemap: production ? false : 'inline',
    legalComments: 'linked',
    metafile: true,
    define,
  });
  return metafile;
}

async function buildSite(production) {
  await rm(staging, { recursive: true, force: true });
  const { gazetteer, ...reference } = await writeReference(staging);
  const film = await buildWorker(production);
  // values alone: of an object esbuild makes a module, which every chunk then imports
  const values = Object.entries(reference).map(([name, value]) => [`REFERENCE.${name}`, JSON.stringify(value)]);
  const define = { ...Object.fromEntries(values), GAZETTEER: JSON.stringify(gazetteer), FILM_WORKER: JSON.stringify(film) };
  const viewer = await buildEntries('src/main.ts', ['src/map/map.ts', 'src/style.css'], define, production);
  const follow = await buildEntries(FOLLOW, ['src/follow.css'], define, production);
  const icons = await writeIcons(staging);
  await writeInstallable(staging, icons);
  await writePage(staging, viewer, icons);
  await writeFollowPage(staging, follow, icons);
  if (production) await compressAll(staging);
  await rm(output, { recursive: true, force: true });
  await rename(staging, output);
}

async function buildTests() {
  const names = (await readdir(path.join(here, 'test'))).filter((name) => name.endsWith('.test.ts'));
  await esbuild.build({
    ...shared,
    entryPoints: names.map((name) => `test/${name}`),
    outdir: '.cache/tests',
    platform: 'node',
    target: 'node18',
  });
}

async function watch() {
  const { watch: watchFolder } = await import('node:fs/promises');
  await buildSite(false);
  for await (const change of watchFolder(source, { recursive: true })) {
    const failed = await buildSite(false).then(() => '', (error) => ` (failed: ${error.message})`);
    process.stderr.write(`rebuilt after ${change.filename}${failed}\n`);
  }
}

const flag = process.argv[2];
if (flag === '--tests') await buildTests();
else if (flag === '--watch') await watch();
else if (flag === undefined) await buildSite(true);
else {
  process.stderr.write(`Unknown option ${flag}: use --watch, --tests or nothing.\n`);
  process.exitCode = 2;
}
