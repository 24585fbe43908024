import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyValue } from '../../src/store/key-value.ts'
import { openLevel } from '../../src/store/level.ts'
import { temporaryDirectory } from './temporary.ts'

export const records = 150

export function keyOf(index: number): string {
  return `key/${index.toString().padStart(4, '0')}`
}

export function valueOf(key: string): Buffer {
  return Buffer.from(`${key}:${key}`.repeat(4))
}

/** A closed database of 150 records, in one table or in the log. */
export async function database(options: { inLog?: boolean } = {}): Promise<string> {
  const directory = join(await temporaryDirectory(), 'catalog')
  const { store } = await openLevel(directory, { reserve: 0 })
  const keys = Array.from({ length: records }, (_, index) => keyOf(index))
  for (const key of keys) await store.batch([{ put: key, value: valueOf(key) }])
  await store.close()
  // The next opening turns the log into a table.
  if (options.inLog !== true) await (await openLevel(directory, { reserve: 0 })).store.close()
  return directory
}

export async function fileIn(directory: string, part: string): Promise<string> {
  const name = (await readdir(directory)).find((each) => each.includes(part))
  if (name === undefined) throw new Error(`There is no ${part} in ${directory}.`)
  return join(directory, name)
}

export async function keysOf(store: KeyValue): Promise<string[]> {
  const keys: string[] = []
  for await (const [key] of store.scan('')) keys.push(key)
  return keys
}
