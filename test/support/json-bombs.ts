/** Documents of 4 MiB, which is the most that is taken, that would cost whoever parses them far more than that: twelve shapes. */

export interface JsonBomb {
  shape: string
  body: Buffer
}

const size = 4 * 1024 * 1024
const descriptor = `{"mediaType":"a/b","digest":"sha256:${'0'.repeat(64)}","size":1}`

export const jsonBombs: JsonBomb[] = [
  { shape: 'arrays in arrays', body: filled('', '[') },
  { shape: 'objects in objects', body: filled('', '{"a":') },
  { shape: 'a list of numbers', body: filled('[', '0,', '0]') },
  { shape: 'a list of empty objects', body: filled('[', '{},', '{}]') },
  { shape: 'many members', body: numbered('{', (number) => `"m${number}":1,`, '"last":1}') },
  { shape: 'one member again and again', body: filled('{"schemaVersion":2,', '"layers":[],', '"layers":[]}') },
  { shape: 'one string', body: filled('{"schemaVersion":2,"x":"', 'a', '"}') },
  { shape: 'one string of unicode escapes', body: filled('{"schemaVersion":2,"x":"', String.raw`\u0041`, '"}') },
  { shape: 'one number', body: filled('{"schemaVersion":', '9', '}') },
  { shape: 'many descriptors', body: filled('{"schemaVersion":2,"layers":[', `${descriptor},`, `${descriptor}]}`) },
  {
    shape: 'many annotations',
    body: numbered('{"schemaVersion":2,"annotations":{', (number) => `"a${number}":"",`, '"last":""}}'),
  },
  { shape: 'annotations in annotations', body: filled('{"schemaVersion":2,', '"annotations":{', '}') },
]

function filled(before: string, unit: string, after = ''): Buffer {
  return Buffer.from(before + unit.repeat(Math.floor((size - before.length - after.length) / unit.length)) + after)
}

function numbered(before: string, unit: (number: number) => string, after: string): Buffer {
  const units: string[] = []
  for (let length = before.length + after.length, number = 0; length < size - 32; number += 1) {
    const next = unit(number)
    units.push(next)
    length += next.length
  }
  return Buffer.from(before + units.join('') + after)
}
