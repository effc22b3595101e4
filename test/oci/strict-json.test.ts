import assert from 'node:assert/strict';
import fc from 'fast-check';
import { foldKey, parseStrictJson } from '../../src/oci/index.ts';
import { cpuMsOf } from '../support/cpu-time.ts';

const read = (text: string, depthMax?: number) => parseStrictJson(Buffer.from(text), depthMax);
const problemOf = (text: string | Uint8Array) => {
  const result = typeof text === 'string' ? read(text) : parseStrictJson(text);
  return result.ok ? undefined : result.problem;
};

describe('strict JSON', () => {
  it('reads what JSON.parse reads, whatever the value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        const result = read(text);
        // What differs must be one of the things that are refused on purpose.
        if (!result.ok) return assert.match(result.problem, /given twice|out of range|malformed string/);
        assert.deepEqual(JSON.parse(JSON.stringify(result.value)), JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  it('accepts nothing that JSON.parse refuses', () => {
    const near = fc.string({ unit: fc.constantFrom(...'{}[]":,0123456789.eE+-truefalsn \\u\n\t/') });
    fc.assert(
      fc.property(near, (text) => {
        if (read(text).ok) assert.doesNotThrow(() => JSON.parse(text), text);
      }),
      { numRuns: 3000 },
    );
  });

  it('reads the text of the specification with its space and escapes', () => {
    const result = read(' {"a" : [ 1 , -2.5e3 , true , null , "\\u00e4\\n\\"\\\\" ] } \r\n');
    assert.ok(result.ok);
    assert.deepEqual(JSON.parse(JSON.stringify(result.value)), { a: [1, -2500, true, null, 'ä\n"\\'] });
  });

  const refused: readonly [string, string | Uint8Array, RegExp][] = [
    ['a key twice', '{"layers":[],"layers":[1]}', /"layers" given twice/],
    ['a key twice, written differently', '{"layers":1,"l\\u0061yers":2}', /given twice/],
    ['a key twice in another case (Go folds it)', '{"layers":1,"Layers":2}', /"Layers" given twice/],
    ['a key twice with a long s (Go folds that, too)', '{"layers":1,"layer\u017f":2}', /given twice/],
    ['a key twice with the Kelvin sign', '{"key":1,"\u212aey":2}', /given twice/],
    ['a key twice deep inside', '[{"a":{"b":1,"b":2}}]', /given twice/],
    ['a byte order mark', '\ufeff{}', /a value expected at character 0/],
    ['a comment', '{} // x', /text after the end/],
    ['a comment inside', '{/**/}', /a key expected/],
    ['NaN', '{"a":NaN}', /a value expected/],
    ['Infinity', '[Infinity]', /a value expected/],
    ['text after the end', '{}{}', /text after the end/],
    ['a NUL after the end', '{}\0', /text after the end/],
    ['a comma at the end', '[1,]', /a value expected/],
    ['a comma at the end of an object', '{"a":1,}', /a key expected/],
    ['a single quote', "{'a':1}", /a key expected/],
    ['a number beyond 2^53', '[9007199254740993]', /a number out of range/],
    ['a number beyond every double', '[1e400]', /a number out of range/],
    ['a number with a leading zero', '[01]', /a value expected/],
    ['a hexadecimal number', '[0x10]', /a value expected/],
    ['a plus sign', '[+1]', /a value expected/],
    ['half a number', '[1.]', /a value expected/],
    ['a lone surrogate', '["\\ud800"]', /a malformed string/],
    ['a lone surrogate as key', '{"\\udc00":1}', /a malformed string/],
    ['a control character in a string', '["a\nb"]', /a malformed string/],
    ['an unknown escape', '["\\x41"]', /a malformed string/],
    ['an unfinished string', '["a', /a malformed string/],
    ['an unfinished escape', '["a\\', /a malformed string/],
    ['an unfinished object', '{"a":1', /"," or "}" expected/],
    ['an unfinished array', '[1', /"," or "\]" expected/],
    ['no colon', '{"a" 1}', /":" expected/],
    ['nothing', '', /a value expected/],
    ['space only', ' \n', /a value expected/],
    ['a word', 'nul', /a value expected/],
    ['a non-breaking space', '\u00a0{}', /a value expected/],
    ['invalid UTF-8', Uint8Array.of(0x22, 0xff, 0x22), /not valid UTF-8/],
    ['an overlong encoding', Uint8Array.of(0x22, 0xc0, 0xaf, 0x22), /not valid UTF-8/],
    ['UTF-16', Buffer.from('{}', 'utf16le'), /a key expected/],
    ['a surrogate in UTF-8', Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), /not valid UTF-8/],
  ];
  for (const [title, text, problem] of refused) {
    it(`V-12: refuses ${title}`, () => assert.match(problemOf(text) ?? 'accepted', problem));
  }

  it('V-12: refuses nesting beyond its limit without going down it', () => {
    assert.ok(read('['.repeat(33) + ']'.repeat(33)).ok);
    assert.match(problemOf('['.repeat(34) + ']'.repeat(34)) ?? '', /nested deeper than 32/);
    assert.match(problemOf('['.repeat(1_000_000)) ?? '', /nested deeper than 32/);
    assert.match(problemOf('{"a":'.repeat(1_000_000)) ?? '', /nested deeper than 32/);
    assert.ok(!read('[[1]]', 1).ok);
  });

  it('V-12: takes __proto__ for a key like any other', () => {
    const result = read('{"__proto__":{"isAdmin":true},"constructor":1}');
    assert.ok(result.ok);
    assert.deepEqual(Object.keys(Object(result.value)), ['__proto__', 'constructor']);
    assert.equal(Reflect.get({}, 'isAdmin'), undefined);
    assert.equal(Reflect.get(Object(result.value), 'toString'), undefined);
  });

  it('lets labels and annotations differ in case only, as those of real images do, but not repeat', () => {
    assert.ok(read('{"config":{"Labels":{"Name":"a","name":"b"}},"annotations":{"A":"1","a":"2"}}').ok);
    assert.match(problemOf('{"Labels":{"name":"a","name":"b"}}') ?? '', /given twice/);
    assert.match(problemOf('{"labels":{"x":{"A":1,"a":2}}}') ?? '', /given twice/);
  });

  it('reads four megabytes in a moment', async () => {
    const text = JSON.stringify({
      layers: Array.from({ length: 40_000 }, (_, i) => ({ digest: 'x'.repeat(70), size: i })),
    });
    const spentMs = await cpuMsOf(() => assert.ok(read(text).ok));
    assert.ok(spentMs < 10_000, `${spentMs} ms`);
  });

  it('folds keys as Go does', () => {
    for (const [key, folded] of [
      ['Layers', 'layers'],
      ['layer\u017f', 'layers'],
      ['\u212aey', 'key'],
      ['ä', 'ä'],
    ] as const) {
      assert.equal(foldKey(key), folded);
    }
  });
});
