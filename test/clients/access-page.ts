/** docs/access.md as a script: what its commands do, told by what they name. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pinnedVersion, type Tool } from '../support/tools.ts'

export const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'access.md'), 'utf8')

export type Transport = 'TLS' | 'http'

/** The commands of one client over one transport, as they stand on the page; `ctr` has no login and no logout. */
export interface Script {
  client: string
  transport: Transport
  tools: Tool[]
  setUp: string
  login: string
  pull: string
  push: string
  logout: string
}

const toolsOf: Record<string, Tool[]> = {
  crane: ['crane'],
  podman: ['podman'],
  skopeo: ['skopeo'],
  oras: ['oras'],
  regctl: ['regctl'],
  cosign: ['cosign', 'crane'],
  containerd: ['containerd', 'ctr'],
}

export const scripts: Script[] = Object.entries(toolsOf).flatMap(([title, tools]) =>
  blocksUnder(title, 'sh').map((text) => scriptOf(title, tools, text)),
)

/** The blocks of one language in the section of that title. */
export function blocksUnder(title: string, language: string): string[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? ''
  const blocks = [...section.matchAll(new RegExp('^```' + language + '\\n(.*?)^```$', 'gms'))]
  if (blocks.length === 0) throw new Error(`the page has no ${language} under ${title}`)
  return blocks.map(([, text = '']) => text)
}

function scriptOf(client: string, tools: Tool[], text: string): Script {
  const lines = text.trimEnd().split('\n')
  const having = (words: RegExp) => lines.filter((line) => words.test(line)).join('\n')
  const version = pinnedVersion(tools[0] ?? 'crane')
  return {
    client: version === undefined ? `${client} (Debian)` : `${client} ${version}`,
    transport: text.includes('registry.internal') ? 'TLS' : 'http',
    tools,
    setUp: having(/^(export|mkdir|cp|regctl registry set) /),
    login: having(/ login /),
    pull: lines.find((line) => / (pull|copy|verify) /.test(line) && line.includes('/team/app')) ?? '',
    push: having(/\/team\/copy:/),
    logout: having(/ logout /),
  }
}
