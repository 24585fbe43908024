/** Charts of which Go's YAML, JSON and tar have their own ideas: each is what `helm push` makes of it, or left out where Helm refuses it. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Member, tgz } from '../charts/archives.ts'
import { type ChartServer, startChartServer } from '../charts/server.ts'
import { entrepot } from '../commands/cli.ts'
import { type Daemon, startDaemon } from '../support/daemon.ts'
import { transcript } from '../support/process.ts'
import { missingTools, toolPath } from '../support/tools.ts'
import { type Helm, helms } from './helm.ts'

const missing = missingTools('helm3', 'helm4')
const hint = missing.length > 0 ? ` (not installed: ${missing.join(', ')}; run test/clients/install)` : ''
const head = 'apiVersion: v2\nname: odd\nversion: 1.0.0\n'
const dependency = (more: string) => `${head}dependencies:\n- name: a\n  version: 1.x\n${more}`

const tooLargeForHelm3 = 'a file that is too large for Helm 3'

/** By what is odd: Chart.yaml, or the members of the archive. */
const odd: Record<string, string | Member[]> = {
  'a float for a version of the application': `${head}appVersion: 1.10\n`,
  'a float with a zero': `${head}appVersion: 2.0\n`,
  'a large float': `${head}appVersion: 20240501.5\n`,
  'a float with an exponent': `${head}appVersion: 1e3\n`,
  'a float with a large exponent': `${head}appVersion: 1.5e12\n`,
  'a small float': `${head}appVersion: .000012\n`,
  'an octal number': `${head}appVersion: 0755\n`,
  'a number that looks octal': `${head}appVersion: 0890\n`,
  'a hexadecimal number': `${head}appVersion: 0x1F\n`,
  'a new octal number': `${head}appVersion: 0o17\n`,
  'a binary number': `${head}appVersion: 0b101\n`,
  'a number with underscores': `${head}appVersion: 1_000\n`,
  'a number with a sign': `${head}appVersion: +12\n`,
  'a number beyond 64 bits': `${head}appVersion: 18446744073709551616\n`,
  'the largest number': `${head}appVersion: 18446744073709551615\n`,
  'a commit of digits': `${head}appVersion: 1234567\n`,
  'a commit that looks like an exponent': `${head}appVersion: 12e45678\n`,
  'a commit that is an exponent': `${head}appVersion: 1234e5\n`,
  'a date': `${head}appVersion: 2024-05-01\n`,
  'a time': `${head}appVersion: 2024-05-01T10:00:00Z\n`,
  'base sixty': `${head}appVersion: 12:30:45\n`,
  'a truth value': `${head}appVersion: yes\n`,
  'a short truth value': `${head}appVersion: n\n`,
  infinity: `${head}appVersion: .inf\n`,
  'a null': `${head}appVersion: ~\ndescription:\n`,
  'a quoted number': `${head}appVersion: "1.10"\n`,
  'a number that is tagged as text': `${head}appVersion: !!str 1.10\n`,
  'a float for its own version': `apiVersion: v2\nname: odd\nversion: 1.10\n`,
  'a version with a v': `apiVersion: v2\nname: odd\nversion: v1.2.3\n`,
  'a version of one number': `apiVersion: v2\nname: odd\nversion: "3"\n`,
  'a version with a build': `apiVersion: v2\nname: odd\nversion: 1.2.3+build.5\n`,
  'a version that is none': `apiVersion: v2\nname: odd\nversion: latest\n`,
  'no version': `apiVersion: v2\nname: odd\n`,
  'no API version': `name: odd\nversion: 1.0.0\n`,
  'an unknown type': `${head}type: service\n`,
  'a library': `${head}type: library\n`,
  'what HTML has': `${head}description: 'a < b && c > d "quoted" \\ back'\n`,
  'control characters and separators': `${head}description: "tab\\t bell\\a line\\u2028 para\\u2029 next\\x85 del\\x7f nul\\0 soft\\u00ad"\nhome: "http://x/\\u200b"\n`,
  'spaces of every kind': `${head}description: "a\\u00a0b\\u2003c\\u3000d\\r\\ne"\n`,
  'characters beyond sixteen bits': `${head}description: "rocket 🚀 and \\U0001F680, Ωmega, привет, 漢字"\nkeywords: ["🚀"]\n`,
  'a folded block': `${head}description: >-\n  one\n  two\n\n  three\n`,
  'a literal block': `${head}description: |\n  one\n    two\n`,
  'a description of spaces': `${head}description: "   "\n`,
  'annotations out of order': `${head}annotations:\n  z: last\n  a: first\n  "10": ten\n  "9": nine\n  é: accent\n  😀: smile\n  \uff5e: tilde\n`,
  'annotations that are no text': `${head}annotations:\n  a: 1.0\n  b: true\n  c: ~\n  1: one\n  yes: no\n`,
  'annotations over those of the image': `${head}annotations:\n  org.opencontainers.image.title: mine\n  org.opencontainers.image.version: mine\n  org.opencontainers.image.url: mine\n`,
  'an annotation that is a map': `${head}annotations:\n  a: {b: c}\n`,
  'keywords that are no text': `${head}keywords: [1, 2.50, true, ~, text]\n`,
  'a keyword that is a list': `${head}keywords: [[a]]\n`,
  'sources that are one text': `${head}sources: https://example.com\n`,
  'several sources': `${head}sources: [https://one.example, https://two.example]\nhome: https://home.example\nicon: https://icon.example/a.png\n`,
  'empty lists': `${head}keywords: []\nsources: []\nmaintainers: []\nannotations: {}\ndependencies: []\n`,
  maintainers: `${head}maintainers:\n- name: Jane\n  email: jane@example.com\n- email: only@example.com\n- name: Joe\n  url: https://joe.example\n- name: 12.50\n`,
  'an empty maintainer': `${head}maintainers:\n- ~\n`,
  'names in another case': `${head}AppVersion: 1.2\nKUBEVERSION: '>=1.20'\nDescription: words\n`,
  'a name twice': `${head}description: one\ndescription: two\n`,
  'names that nobody knows': `${head}engine: gotpl\ntillerVersion: '>2'\nx: {y: [1]}\n`,
  'a deprecated one': `${head}deprecated: true\n`,
  'a deprecated one in old words': `${head}deprecated: on\n`,
  'a deprecation in quotes': `${head}deprecated: "true"\n`,
  dependencies: dependency(
    '  repository: https://example.com\n  condition: a.enabled\n  tags: [x, 1]\n  enabled: true\n  alias: b_c\n',
  ),
  'a dependency without a repository': dependency(''),
  'values of a dependency': dependency(
    '  import-values:\n  - data\n  - child: z.y\n    parent: b\n    a: 1.50\n    n: [1, 1e21, 1.0e-7, 123456789012345678, 0.1, true, ~, -5]\n',
  ),
  'an alias that Helm refuses': dependency('  alias: a.b\n'),
  'two dependencies of a name': dependency('- name: a\n'),
  'requirements in a file of their own': [
    { name: 'odd/Chart.yaml', content: 'apiVersion: v1\nname: odd\nversion: 1.0.0\n' },
    {
      name: 'odd/requirements.yaml',
      content: 'dependencies:\n- name: a\n  version: 1.0\n  repository: https://example.com\n',
    },
  ],
  'requirements beside those of Chart.yaml': [
    { name: 'odd/requirements.yaml', content: 'dependencies:\n- name: b\n' },
    { name: 'odd/Chart.yaml', content: dependency('  repository: https://example.com\n- name: c\n') },
  ],
  'an anchor and its alias': `${head}home: &h https://example.com\nsources:\n- *h\n`,
  'a mark of the byte order': `\ufeff${head}`,
  'a second document': `${head}---\nname: other\n`,
  'comments and marks': `# words\n---\n${head}# end\n...\n`,
  JSON: '{"apiVersion": "v2", "name": "odd", "version": "1.0.0", "appVersion": 1.0}',
  'a text that is no YAML': `${head}a: [\n`,
  'a list': '- a\n',
  nothing: '',
  'a folder for itself, and the current one': [
    { name: 'odd/', type: '5' },
    { name: 'odd/./Chart.yaml', content: head },
  ],
  'no folder': [{ name: 'Chart.yaml', content: head }],
  'a file outside of its folder': [
    { name: 'odd/Chart.yaml', content: head },
    { name: 'odd/../../etc/passwd', content: 'x' },
  ],
  'an absolute path': [
    { name: 'odd/Chart.yaml', content: head },
    { name: 'odd//etc/passwd', content: 'x' },
  ],
  'a file of no folder': [
    { name: 'odd/Chart.yaml', content: head },
    { name: 'README.md', content: 'x' },
  ],
  'paths of Windows': [{ name: 'odd\\Chart.yaml', content: head }],
  'no Chart.yaml': [{ name: 'odd/values.yaml', content: 'a: 1\n' }],
  [tooLargeForHelm3]: [
    { name: 'odd/Chart.yaml', content: head },
    { name: 'odd/files/large.txt', content: Buffer.alloc(5 * 1024 * 1024 + 1, 'x') },
  ],
  'a name of two folders': `apiVersion: v2\nname: odd/../other\nversion: 1.0.0\n`,
}

describe.skipIf(missing.length > 0)(`${Object.keys(odd).length} odd charts${hint}`, () => {
  test.each(helms)(
    'are what %s push makes of them, or left out where it refuses them',
    async (tool) => {
      const folder = await mkdtemp(join(tmpdir(), 'entrepot-odd-'))
      onTestFinished(() => rm(folder, { recursive: true, force: true }))
      const daemon = await startDaemon()
      onTestFinished(() => daemon.stop())
      const server = await startChartServer()
      const pushed = await pushAll(tool, daemon, folder, server)
      server.index(pushed.map(({ name, version = '1.0.0' }) => ({ name, version: `"${version}"`, url: `${name}.tgz` })))

      const { stdout } = await entrepot(['import-charts', server.url, '--json', '--data', daemon.data], folder)
      const { leftOut } = JSON.parse(stdout) as { leftOut: { name: string; reason: string }[] }
      const refused = pushed.filter(({ what, version }) => version === undefined && what !== tooLargeForHelm3)
      expect(pushed.find(({ what }) => what === tooLargeForHelm3)?.version).toBe(tool === 'helm3' ? undefined : '1.0.0')
      expect(leftOut.map(({ name }) => name).toSorted()).toEqual(refused.map(({ name }) => name).toSorted())
      expect(refused.length).toBeGreaterThan(10)

      const accepted = pushed.filter(({ version }) => version !== undefined)
      expect(accepted.length).toBeGreaterThan(50)
      for (const { what, name, version = '' } of accepted) {
        const tag = version.replaceAll('+', '_')
        const [theirs, ours] = await Promise.all(
          ['local', 'charts'].map((where) => contentOf(`${daemon.url}/v2/${where}/${name}`, tag)),
        )
        expect({ what, ...ours }).toEqual({ what, ...theirs })
      }
    },
    240_000,
  )
})

interface Pushed {
  what: string
  name: string
  /** `undefined` where Helm refuses it. */
  version: string | undefined
}

/** Each under a name of its own, at the server too. */
async function pushAll(tool: Helm, daemon: Daemon, folder: string, server: ChartServer): Promise<Pushed[]> {
  const waiting = Object.entries(odd).entries()
  const done: Pushed[] = []
  const worker = async () => {
    for (const [index, [what, content]] of waiting) {
      const name = `odd-${index}`
      const members = typeof content === 'string' ? [{ name: 'odd/Chart.yaml', content }] : content
      const archive = tgz(members.map((member) => named(member, name)))
      server.files.set(`/${name}.tgz`, archive)
      done.push({ what, name, version: await push(tool, archive, `${daemon.host}/local`, join(folder, name)) })
    }
  }
  await Promise.all([worker(), worker()])
  return done
}

function named(member: Member, name: string): Member {
  const content = typeof member.content === 'string' ? member.content.replace(/\bodd\b/, name) : member.content
  return { ...member, name: member.name.replace(/^odd/, name), ...(content !== undefined && { content }) }
}

/** @returns the version that it was pushed as */
async function push(tool: Helm, archive: Buffer, where: string, folder: string): Promise<string | undefined> {
  await mkdir(folder)
  const file = join(folder, 'chart.tgz')
  await writeFile(file, archive)
  const names = ['HOME', 'DOCKER_CONFIG', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME']
  const env = Object.fromEntries(names.map((name) => [name, folder]))
  const flags = tool === 'helm4' ? ['--plain-http'] : []
  try {
    const printed = await transcript(toolPath(tool), ['push', file, `oci://${where}`, ...flags], { env })
    return /^Pushed: .*:([^:\n]+)$/m.exec(printed)?.[1]?.replaceAll('_', '+')
  } catch {
    return undefined
  }
}

/** The manifest, but for the time of its creation, and its config. */
async function contentOf(repository: string, tag: string): Promise<{ manifest: string; config: string }> {
  const headers = { accept: 'application/vnd.oci.image.manifest.v1+json' }
  const manifest = await textOf(`${repository}/manifests/${tag}`, headers)
  const [, digest] = /"config":\{[^}]*"digest":"([^"]+)"/.exec(manifest) ?? []
  const config = await textOf(`${repository}/blobs/${digest}`)
  return { manifest: manifest.replace(/("org\.opencontainers\.image\.created":)"[^"]*"/, '$1'), config }
}

async function textOf(url: string, headers: Record<string, string> = {}): Promise<string> {
  const response = await fetch(url, { headers })
  expect({ url, status: response.status }).toEqual({ url, status: 200 })
  return response.text()
}
