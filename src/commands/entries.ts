/**
 * YAML files that are one map of names, as people write them. Every scalar is text as it stands, so that `1.20` is no number; what YAML
 * makes of `!=22`, `>2` and `*` is refused, since whoever wrote them meant a range.
 */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
} from 'yaml'
import type { z } from 'zod'
import { CommandError, exitCodes } from './exit-code.ts'

const quotes = `Put a range in quotes, as in NAME: '>=22 <23'.`
const names = /^[A-Za-z0-9][A-Za-z0-9._:/[\]-]{0,254}$/

export interface EntriesFile<T> {
  file: string
  content: string
  entry: z.ZodType<T>
  /** What the file is, and what to do about one that is not; ends a sentence. */
  help: string
}

/** @returns in the file's order @throws CommandError with file, line, name, reason */
export function readEntries<T>({ file, content, entry, help }: EntriesFile<T>): Map<string, T> {
  const lines = new LineCounter()
  const document = parseDocument(content, { lineCounter: lines, prettyErrors: false, schema: 'failsafe', merge: false })
  const refuse = (offset: number, reason: string): never => {
    throw new CommandError(exitCodes.bad, `${file}:${lines.linePos(offset).line}: ${reason}`)
  }
  refuseSyntax(document, refuse, help)
  const { contents } = document
  if (contents === null) return new Map()
  if (!isMap<unknown, Node | null>(contents)) return refuse(offsetOf(contents), help)
  const entries = new Map<string, T>()
  for (const pair of contents.items) {
    const name = nameOf(pair, refuse)
    const result = entry.safeParse(pair.value?.toJS(document) ?? '')
    if (!result.success) return refuse(offsetOf(pair.key), `${name}: ${reasonsOf(result.error)}`)
    entries.set(name, result.data)
  }
  return entries
}

type Refuse = (offset: number, reason: string) => never

function refuseSyntax(document: Document.Parsed, refuse: Refuse, help: string): void {
  const [error] = document.errors
  if (error?.code === 'MULTIPLE_DOCS') refuse(error.pos[0], 'The file holds several documents (---): write one.')
  if (error) refuse(error.pos[0], `${error.message}. ${quotes} ${help}`)
  visit(document, (_key, node) => {
    if (!isNode(node)) return
    if (isAlias(node) || node.anchor !== undefined) refuse(offsetOf(node), `YAML reads & and * as an alias. ${quotes}`)
    if (node.tag?.startsWith('!') === true) refuse(offsetOf(node), `YAML reads ${node.tag} as a type. ${quotes}`)
    if (isScalar(node) && (node.type === 'BLOCK_FOLDED' || node.type === 'BLOCK_LITERAL'))
      refuse(offsetOf(node), `YAML reads > and | as the start of a block of text. ${quotes}`)
  })
}

function nameOf({ key }: Pair, refuse: Refuse): string {
  const name = isScalar(key) ? key.value : undefined
  if (typeof name === 'string' && names.test(name)) return name
  const shown = typeof name === 'string' ? JSON.stringify(name) : 'What stands before the colon'
  return refuse(
    offsetOf(key),
    `${shown} is no name: it has letters, digits and . _ : / - and begins with a letter or a digit.`,
  )
}

function offsetOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0
}

function reasonsOf(error: z.ZodError): string {
  return error.issues.map((issue) => [...issue.path.map(String), reasonOf(issue)].join(': ')).join('; ')
}

function reasonOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'unrecognized_keys') return issue.message
  return `${issue.keys.map((key) => JSON.stringify(key)).join(', ')} is unknown: ${issue.message}`
}
