/**
 * JSON lines on stdout. Writing never blocks a request: where the reader of the pipe is slow, lines are dropped and counted. What is
 * logged is cut and cleaned here, whoever calls: secrets by the name of their field, query strings and user info of URLs, control
 * characters (a log is read in terminals), anything beyond 512 characters.
 */
import { pino, stdTimeFunctions, type Logger } from 'pino'
import { OciError } from '../oci/errors.ts'
import { createLineSink } from './line-sink.ts'

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** Values: text, numbers, booleans, errors, and plain objects or arrays of these, three levels deep. */
export type LogFields = Record<string, unknown>

export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

export interface MainLog extends Log {
  /** Lines dropped since the start, because the reader was too slow or is gone. */
  dropped(): number
  /** Settles when all lines are written, or after `patience` ms (default 1,000); call it before process.exit. */
  flush(patience?: number): Promise<void>
}

export interface LogOptions {
  /** File descriptor. Default 1, stdout. */
  fd?: number
  /** Characters that may wait for the reader. Default 4 Mi. */
  maxWaiting?: number
}

export function createLog(level: LogLevel, options: LogOptions = {}): MainLog {
  const sink = createLineSink({ fd: options.fd ?? 1, maxWaiting: options.maxWaiting ?? 4 * 1024 * 1024 })
  const formatters = { level: (label: string) => ({ level: label }) }
  const logger = pino({ level, base: null, timestamp: stdTimeFunctions.isoTime, formatters }, sink)
  return {
    ...createMethods(logger),
    dropped: () => sink.dropped(),
    flush: (patience = 1000) => sink.flush(patience),
  }
}

function createMethods(logger: Logger): Log {
  const write = (level: keyof Log) => (message: string, fields?: LogFields) => {
    if (logger.isLevelEnabled(level)) logger[level](clean(fields ?? {}, 0), cleanText(message))
  }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

const maxText = 512
const maxDepth = 3
const maxMembers = 50
const secretNames =
  /^(?:.*(?:password|passwd|secret|token|authorization|cookie|credentials?|api-?key)|auth|headers|bearer|private-?key)$/i

function clean(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cleanText(value)
  if (typeof value === 'bigint' || typeof value === 'symbol' || typeof value === 'function')
    return cleanText(String(value))
  if (typeof value !== 'object' || value === null) return value
  if (depth > maxDepth) return '[deeper]'
  if (value instanceof Error) return cleanError(value, depth)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (Array.isArray(value)) return value.slice(0, maxMembers).map((member) => clean(member, depth + 1))
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, maxMembers)
      .map(([name, member]) => [
        cleanText(name),
        secretNames.test(name) && member !== undefined ? '[redacted]' : clean(member, depth + 1),
      ]),
  )
}

/** Only what is known of every error: other members may be requests with their headers. */
function cleanError(error: Error, depth: number): LogFields {
  if (error instanceof OciError && error.code !== 'INTERNAL') return cleanExpected(error, depth)
  return {
    type: cleanText(error.name),
    code: 'code' in error && typeof error.code === 'string' ? cleanText(error.code) : undefined,
    message: cleanText(error.message),
    stack: error.stack
      ?.split('\n')
      .filter((line) => line.startsWith('    at '))
      .slice(0, 8)
      .map((line) => cleanText(line.trim())),
    cause: error.cause === undefined ? undefined : clean(error.cause, depth + 1),
  }
}

const longestChain = 5

/** An error that the house itself throws is no surprise: its causes say enough, unless one of them is a mistake of ours. */
function cleanExpected(error: OciError, depth: number): LogFields {
  const causes: unknown[] = []
  let cause = error.cause
  while (cause instanceof Error && causes.length < longestChain) {
    const mistake = isMistake(cause)
    causes.push(mistake ? cleanError(cause, depth + 1) : cleanText(wordsOf(cause)))
    if (mistake) break
    cause = cause.cause
  }
  return {
    type: cleanText(error.name),
    code: error.code,
    detail: cleanText(error.detail),
    causes: causes.length === 0 ? undefined : causes,
  }
}

/** Those of Node and of libraries have a code. */
function isMistake(error: Error): boolean {
  const isOfLanguage = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
  return isOfLanguage && !('code' in error)
}

/** A dial to several addresses has a code, and no words of its own. */
function wordsOf(error: Error): string {
  if (error instanceof OciError) return error.detail
  if (error.message !== '') return error.message
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

function cleanText(text: string): string {
  const short = text.slice(0, 2 * maxText)
  const safe = short
    .replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"'@]*@/gi, '$1')
    .replaceAll(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s?#"']*|(?<![^\s"'(])\/[^\s?#"']*)[?#][^\s"']*/gi, '$1')
    .replaceAll(/\b(Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{4,}/gi, '$1 [redacted]')
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, escaped)
  return safe.length > maxText ? `${safe.slice(0, maxText - 1)}…` : safe
}

function escaped(character: string): string {
  return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
}
