/** docs/helm.md as its readers have it: its commands with what it shows of their output, and its files. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface DocumentedCommand {
  command: string
  /** As shown: `…` is what changes, a line `...` whatever else there is. */
  output: string
}

export const text = await readFile(join(import.meta.dirname, '..', '..', '..', 'docs', 'helm.md'), 'utf8')

/** In order. */
export const documentedCommands: DocumentedCommand[] = documentedCommandsIn(text)

/** Those of Helm that stand in sentences, with arguments. */
export const mentionedCommands: string[] = [
  ...new Set(text.replaceAll(/^```.*?^```$/gms, '').match(/(?<=`)helm [^`]+(?=`)/g)),
]

/** Of the `console` blocks of a page, in order. */
export function documentedCommandsIn(page: string): DocumentedCommand[] {
  return blocks('console', page).flatMap((content) =>
    [...content.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)].map(([, command = '', output = '']) => ({
      command,
      output,
    })),
  )
}

/** The one block of a language in which a line starts so. @throws where there is none, or more than one */
export function block(language: string, start: string): string {
  const found = blocks(language).filter((content) => content.split('\n').some((line) => line.startsWith(start)))
  const [first] = found
  if (first === undefined || found.length > 1) throw new Error(`docs/helm.md has ${found.length} blocks of ${start}`)
  return first
}

/** What an output must match to be the one that is shown. */
export function patternOf(output: string): RegExp {
  const lines = output.trim().split('\n').map(linePattern)
  return new RegExp(`^${lines.join('')}\\s*$`)
}

function linePattern(line: string): string {
  if (line.trim() === '...') return String.raw`(?:[^\n]*(?:\n|$))*`
  return `${line
    .trimEnd()
    .split('…')
    .map((part) => RegExp.escape(part))
    .join('[^\\n]+')}[^\\S\\n]*(?:\\n|$)`
}

function blocks(language: string, page = text): string[] {
  return [...page.matchAll(new RegExp('^```' + language + '\\n(.*?)^```$', 'gms'))].map(([, content = '']) => content)
}
