/** What of a chart's archive decides how Helm pushes it, read within the limits that Helm has for charts. */
import { posix } from 'node:path'
import { createGunzip } from 'node:zlib'
import { pipeline } from 'node:stream/promises'
import { PassThrough } from 'node:stream'
import { ChartError } from './go-yaml.ts'
import { readTar, type TarEntry } from './tar.ts'

export interface ChartArchive {
  chartYaml: Buffer
  /** Of a chart in Helm 2's manner. */
  requirements?: Buffer
  /** When Chart.yaml was last written, ms since 1970. */
  modified: number
  /** A file for whose size Helm 3 refuses the chart, and Helm 4 no more does. */
  tooLargeForHelm3?: string
}

/** Of pkg/chart/loader/archive: of all files together, and, in Helm 3, of one. */
const largestChart = 100 * 1024 * 1024
const largestFile = 5 * 1024 * 1024
/** Of the archive with its headers: a million empty files are a bomb too. */
const largestUnpacked = 128 * 1024 * 1024

/**
 * Reads to the end, so that a damaged archive shows.
 * @throws ChartError where Helm refuses the archive
 */
export async function readArchive(packed: AsyncIterable<Uint8Array>): Promise<ChartArchive> {
  const found = new Map<string, { bytes: Buffer; modified: number }>()
  let size = 0
  let tooLarge: string | undefined
  for await (const entry of readTar(unpack(packed))) {
    if (isFolder(entry)) continue
    const file = pathInChart(entry.name)
    size += entry.size
    if (size > largestChart) throw new ChartError(`it is larger than ${largestChart} bytes when it is unpacked`)
    if (entry.size > largestFile) tooLarge = file
    if (file !== 'Chart.yaml' && file !== 'requirements.yaml') continue
    if (entry.size > largestFile) throw new ChartError(`its ${file} is larger than ${largestFile} bytes`)
    if (entry.type !== '0') throw new ChartError(`its ${file} is no file`)
    if (found.has(file)) throw new ChartError(`it has two files ${file}`)
    found.set(file, { bytes: withoutMark(await entry.read()), modified: entry.modified * 1000 })
  }
  const [chart, requirements] = [found.get('Chart.yaml'), found.get('requirements.yaml')]
  if (!chart) throw new ChartError('it has no Chart.yaml')
  return {
    chartYaml: chart.bytes,
    modified: chart.modified,
    ...(requirements && { requirements: requirements.bytes }),
    ...(tooLarge !== undefined && { tooLargeForHelm3: tooLarge }),
  }
}

async function* unpack(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const unpacked = new PassThrough()
  // A failure reaches the reader below, through the stream.
  const piped = pipeline(packed, createGunzip(), unpacked).catch(() => {})
  let size = 0
  try {
    for await (const chunk of unpacked) {
      size += chunk.length
      if (size > largestUnpacked) throw new ChartError(`it is larger than ${largestUnpacked} bytes when it is unpacked`)
      yield chunk
    }
  } catch (cause) {
    if (cause instanceof ChartError) throw cause
    throw new ChartError('it is no gzip archive, or is damaged', { cause })
  } finally {
    unpacked.destroy()
    await piped
  }
}

function isFolder({ name, type }: TarEntry): boolean {
  return type === '5' || name.endsWith('/')
}

/** Without the chart's own folder. */
function pathInChart(name: string): string {
  const separator = name.includes('\\') ? '\\' : '/'
  const [first = '', ...rest] = name.split(separator)
  const inside = rest.join('/')
  const path = posix.normalize(inside)
  if (first === 'Chart.yaml') throw new ChartError('its Chart.yaml does not stand in a folder')
  if (inside.startsWith('/') || /^[a-zA-Z]:\//.test(path)) throw new ChartError('it has a file with an absolute path')
  if (inside === '' || path === '.' || path.startsWith('..'))
    throw new ChartError('it has a file outside of its folder')
  return path
}

/** Of the byte order. */
function withoutMark(bytes: Buffer): Buffer {
  return bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf])) ? bytes.subarray(3) : bytes
}
