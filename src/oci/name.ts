/** Repository names, tags and references: the grammar of the distribution spec ("Pulling manifests"). */
import { type Digest, parseDigest } from './digest.ts'

export type RepositoryName = string & { readonly __name: unique symbol }
export type Tag = string & { readonly __tag: unique symbol }
export type Reference = { digest: Digest } | { tag: Tag }

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const namePattern = new RegExp(`^${component}(?:/${component})*$`)
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/
const longestName = 255

export function parseName(text: string): RepositoryName | undefined {
  return isName(text) ? text : undefined
}

export function parseTag(text: string): Tag | undefined {
  return isTag(text) ? text : undefined
}

export function parseReference(text: string): Reference | undefined {
  const digest = parseDigest(text)
  if (digest) return { digest }
  const tag = parseTag(text)
  return tag && { tag }
}

function isName(text: string): text is RepositoryName {
  return text.length <= longestName && namePattern.test(text)
}

function isTag(text: string): text is Tag {
  return tagPattern.test(text)
}
