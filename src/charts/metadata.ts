/** What Chart.yaml says, as Helm reads, checks and cleans it (`Metadata` of its pkg/chart, the same in Helm 3.22 and 4.3). */
import { isChartVersion } from './chart-version.ts'
import { ChartError, readYaml } from './go-yaml.ts'
import { fill, isStructure, type Shape, type Structure } from './structure.ts'

const text = { kind: 'text' } as const
const texts = { kind: 'texts' } as const
const flag = { kind: 'flag' } as const

const maintainerShape: Shape = { name: text, email: text, url: text }

const dependencyShape: Shape = {
  name: { kind: 'text', always: true },
  version: text,
  repository: { kind: 'text', always: true },
  condition: text,
  tags: texts,
  enabled: flag,
  'import-values': { kind: 'anything' },
  alias: text,
}

export const metadataShape: Shape = {
  name: text,
  home: text,
  sources: texts,
  version: text,
  description: text,
  keywords: texts,
  maintainers: { kind: { listOf: maintainerShape } },
  icon: text,
  apiVersion: text,
  condition: text,
  tags: text,
  appVersion: text,
  deprecated: flag,
  annotations: { kind: 'textMap' },
  kubeVersion: text,
  dependencies: { kind: { listOf: dependencyShape } },
  type: text,
}

/**
 * @param requirements of a chart in Helm 2's manner, whose dependencies stand in a file of their own
 * @throws ChartError where Helm would not load the chart for what these files say
 */
export function readMetadata(chartYaml: Uint8Array, requirements?: Uint8Array): Structure {
  const metadata = fill(metadataShape, yamlOf('Chart.yaml', chartYaml))
  if (!metadata.get('apiVersion')) metadata.set('apiVersion', 'v1')
  if (requirements) fill(metadataShape, yamlOf('requirements.yaml', requirements), metadata)
  clean(metadata, [
    'name',
    'description',
    'home',
    'icon',
    'condition',
    'tags',
    'appVersion',
    'kubeVersion',
    'sources',
    'keywords',
  ])
  check(metadata)
  return metadata
}

export function textField(structure: Structure, field: string): string {
  const value = structure.get(field)
  return typeof value === 'string' ? value : ''
}

export function structuresOf(structure: Structure, field: string): Structure[] {
  const value = structure.get(field)
  return Array.isArray(value) ? value.filter(isStructure) : []
}

function yamlOf(file: string, bytes: Uint8Array) {
  try {
    return readYaml(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    const reason = cause instanceof ChartError ? cause.message : 'it is not UTF-8'
    throw new ChartError(`its ${file} cannot be read: ${reason}`, { cause })
  }
}

function check(metadata: Structure): void {
  const [name, version, type] = ['name', 'version', 'type'].map((field) => textField(metadata, field))
  if (!name) throw new ChartError('its Chart.yaml has no name')
  if (name === '.' || name === '..' || name.includes('/'))
    throw new ChartError(`its Chart.yaml has the name ${JSON.stringify(name)}, which Helm refuses`)
  if (!version) throw new ChartError('its Chart.yaml has no version')
  if (!isChartVersion(version))
    throw new ChartError(`its Chart.yaml has the version ${JSON.stringify(version)}, which is none`)
  if (!['', 'application', 'library'].includes(type ?? ''))
    throw new ChartError(`its type is ${JSON.stringify(type)}, and neither application nor library`)
  for (const maintainer of structuresOf(metadata, 'maintainers')) clean(maintainer, ['name', 'email', 'url'])
  checkDependencies(structuresOf(metadata, 'dependencies'))
}

function checkDependencies(dependencies: Structure[]): void {
  const known = new Set<string>()
  for (const dependency of dependencies) {
    clean(dependency, ['name', 'version', 'repository', 'condition', 'tags'])
    const alias = textField(dependency, 'alias')
    const name = textField(dependency, 'name')
    if (alias !== '' && !/^[a-zA-Z0-9_-]+$/.test(alias))
      throw new ChartError(`its dependency ${name} has an alias that Helm refuses`)
    const key = alias === '' ? name : alias
    if (known.has(key)) throw new ChartError(`it has two dependencies of the name ${key}`)
    known.add(key)
  }
}

function clean(structure: Structure, fields: string[]): void {
  for (const field of fields) {
    const value = structure.get(field)
    if (typeof value === 'string') structure.set(field, printable(value))
    else if (Array.isArray(value))
      structure.set(
        field,
        value.map((item) => (typeof item === 'string' ? printable(item) : '')),
      )
  }
}

/** Go's `unicode.IsSpace` and `unicode.IsPrint`. */
function printable(value: string): string {
  return value.replaceAll(/\p{White_Space}/gu, ' ').replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, '')
}
