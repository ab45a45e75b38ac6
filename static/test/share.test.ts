import assert from 'node:assert/strict';
import test from 'node:test';

import { codeOf, LONGEST } from '../src/tools/share/qr';

test('a code has a quiet zone, three finders, and as many modules as its version', () => {
  const code = codeOf('https://example.org/#map=11.78/47.42099/8.70819');
  assert.ok(code);
  assert.equal((code.size - 8 - 17) % 4, 0);
  const dark = new Set([...code.path.matchAll(/M(\d+) (\d+)/g)].map(([, x, y]) => `${x},${y}`));
  const far = code.size - 4 - 7;
  for (const [x, y] of [[4, 4], [far, 4], [4, far]] as const) {
    for (let step = 0; step < 7; step++) assert.ok(dark.has(`${x + step},${y}`) && dark.has(`${x},${y + step}`), 'the ring of a finder');
    assert.ok(!dark.has(`${x + 1},${y + 1}`) && dark.has(`${x + 3},${y + 3}`));
  }
  assert.ok([...dark].every((place) => place.split(',').every((value) => Number(value) >= 4 && Number(value) < code.size - 4)));
});

test('what no code holds has none', () => {
  assert.ok(codeOf('a'.repeat(LONGEST)));
  assert.equal(codeOf('a'.repeat(LONGEST + 1)), null);
  assert.equal(codeOf('ä'.repeat(LONGEST)), null);
});
