import assert from 'node:assert/strict';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';

import { PMTiles, type Source } from 'pmtiles';

// @ts-expect-error the build's own scripts have no types
import { arabicName, drawnFromLeft } from '../reference/arabic.mjs';
// @ts-expect-error the build's own scripts have no types
import { shores, simplified } from '../reference/geometry.mjs';
// @ts-expect-error the build's own scripts have no types
import { pmtiles } from '../reference/pmtiles.mjs';
import { hiddenGroups, keepHidden } from '../src/map/groups';

const memory = (bytes: Uint8Array): Source => ({
  getKey: () => 'memory',
  getBytes: (offset, length) => Promise.resolve({ data: Uint8Array.from(bytes.subarray(offset, offset + length)).buffer }),
});

type Pair = [number, number];

/** How far a position is from a stretch of a line, in degrees, by brute force. */
function away(position: number[], from: number[], to: number[], scale: number[]): number {
  const [[x, y], [x1, y1], [x2, y2]] = [position, from, to].map((each) => each.map((value, axis) => value * (scale[axis] ?? 1))) as [Pair, Pair, Pair];
  const steps = Array.from({ length: 2001 }, (_, i) => i / 2000);
  return Math.min(...steps.map((t) => Math.hypot(x1 + t * (x2 - x1) - x, y1 + t * (y2 - y1) - y)));
}

/** Numbers that look random and are the same at each run (a linear congruential generator). */
function* numbers(seed: number): Generator<number> {
  for (let state = seed; ; ) yield (state = (state * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
}

test('a PMTiles file that is written is read again by the library, tile by tile', async () => {
  const random = numbers(7);
  const next = (below: number): number => Math.floor((random.next().value as number) * below);
  for (let round = 0; round < 20; round++) {
    const maxZoom = 1 + next(6);
    const wanted = new Map<string, Uint8Array>();
    for (let i = 0; i < 1 + next(300); i++) {
      const z = next(maxZoom + 1);
      const bytes = new Uint8Array(1 + next(40)).fill(next(4)); // few contents: some tiles are the same
      wanted.set(`${z}/${next(2 ** z)}/${next(2 ** z)}`, bytes);
    }
    const tiles = [...wanted].map(([key, bytes]) => {
      const [z, x, y] = key.split('/').map(Number);
      return { z, x, y, bytes };
    });
    const { bytes, head } = await pmtiles(tiles, { maxZoom, metadata: { name: 'test' } });
    const asked: number[] = [];
    const source = memory(bytes);
    const file = new PMTiles({ ...source, getBytes: (offset, length) => (asked.push(offset), source.getBytes(offset, offset ? length : head)) });
    for (let z = 0; z <= maxZoom; z++) {
      for (let x = 0; x < 2 ** z; x++) {
        for (let y = 0; y < 2 ** z; y++) {
          const found = await file.getZxy(z, x, y);
          const expected = wanted.get(`${z}/${x}/${y}`);
          assert.deepEqual(found && new Uint8Array(found.data), expected);
        }
      }
    }
    assert.equal(asked.filter((offset) => offset < head).length, 1, 'header and directory come in one read');
    const header = await file.getHeader();
    assert.deepEqual([header.minZoom, header.maxZoom, header.clustered], [0, maxZoom, true]);
    assert.equal(header.numAddressedTiles, wanted.size);
    assert.deepEqual(await file.getMetadata(), { name: 'test' });
    assert.equal(gunzipSync(bytes.subarray(127, head)).length > 0, true);
  }
});

test('a directory that readers would not find in their first read is refused', async () => {
  const random = numbers(3);
  const tiles = Array.from({ length: 128 * 128 }, (_, i) => ({ i, length: Math.floor((random.next().value as number) * 300) }))
    .map(({ i, length }) => ({ z: 7, x: i % 128, y: i >> 7, bytes: Buffer.from(`${i}:${Array.from({ length }, (_, j) => (i * j * 7919) % 997)}`) }));
  await assert.rejects(pmtiles(tiles, { maxZoom: 7, metadata: {} }), /directory of \d+ entries/);
});

test('Arabic is joined and laid out from the left; other scripts stay', () => {
  assert.equal(drawnFromLeft('باب'), 'ﺏﺎﺑ'); // final form beh after alef stands apart
  assert.equal(drawnFromLeft('Nairobi'), 'Nairobi');
  assert.equal(drawnFromLeft('طريق 66'), `66 ${drawnFromLeft('طريق')}`);
});

test('of Arabic names in many languages the one that sounds like the place is taken', () => {
  assert.equal(arabicName('Nairobi', 'KE', ['نایروبی', 'ممباسا', 'نيروبي']), 'نيروبي');
  assert.equal(arabicName('Munich', 'DE', ['مونیخ', 'ميونخ']), 'ميونخ');
  assert.equal(arabicName('Kisumu', 'KE', ['کیسومو']), null, 'Persian letters only');
  assert.equal(arabicName('Springfield', 'US', ['الدوحة']), null, 'another place');
  assert.equal(arabicName('Casablanca', 'MA', ['الدار البيضاء']), 'الدار البيضاء', 'its own name where Arabic is spoken');
});

test('a coast does not run along the edge of the map', () => {
  const ring = [[170, 60], [180, 60], [180, 65], [170, 65], [170, 60]];
  assert.deepEqual(shores(ring), [[[170, 60], [180, 60]], [[180, 65], [170, 65], [170, 60]]]);
  assert.deepEqual(shores([[0, 0], [1, 0], [1, 1], [0, 0]]), [[[0, 0], [1, 0], [1, 1], [0, 0]]]);
});

test('a line with fewer positions is off by no more than the tolerance, and keeps its ends', () => {
  const random = numbers(3);
  const next = (): number => random.next().value as number;
  const scale = [0.1, 0.05];
  for (let round = 0; round < 50; round++) {
    const line = Array.from({ length: 2 + Math.floor(next() * 60) }, (_, i) => [i + Math.floor(next() * 3), Math.floor(next() * 6)]);
    if (round % 3 === 0) line.push(line[0] as number[]); // an island
    const found = simplified(line, 0.12, scale) as number[][];
    assert.equal(found[0], line[0]);
    assert.equal(found.at(-1), line.at(-1));
    let from = 0;
    for (let i = 1; i < found.length; i++) {
      const to = line.indexOf(found[i] as number[], from + 1);
      assert.ok(to > from);
      for (const each of line.slice(from + 1, to)) {
        assert.ok(away(each, line[from] as number[], line[to] as number[], scale) <= 0.12 + 1e-3);
      }
      from = to;
    }
  }
  assert.deepEqual(simplified([[0, 0], [1, 0], [2, 0], [3, 0]], 0.01, [1, 1]), [[0, 0], [3, 0]]);
});

test('what was hidden stays hidden; few bytes means no reference until the user says otherwise', () => {
  const kept = new Map<string, string>();
  const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
  assert.deepEqual([...hiddenGroups(storage, {})], []);
  assert.deepEqual([...hiddenGroups(storage, { connection: { saveData: true } })], ['reference']);
  keepHidden(new Set(['graticule']), storage);
  assert.deepEqual([...hiddenGroups(storage, { connection: { saveData: true } })], ['graticule']);
  kept.set('comeo-hidden', 'imagery toString footprints');
  assert.deepEqual([...hiddenGroups(storage, {})], ['footprints']);
});
