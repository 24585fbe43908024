/** The real clients' decision on version ranges: the Go programs of test/clients/oracles, which call their code. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { oraclePath, type Oracle } from '../support/tools.ts'

/** A range over the tags in the order and the spelling of the registry. */
export interface Question {
  range: string
  tags: readonly string[]
}

/** The tag that the client takes, or why it takes none, in the words of test/clients/oracles/cases. */
export interface Answer {
  tag?: string
  error?: 'invalid' | 'unmatched' | 'bad tag' | 'unaskable'
  detail?: string
}

/** One answer for each question, in their order. @throws when the program fails, with what it says */
export async function ask(oracle: Oracle, questions: readonly Question[], mode: string[] = []): Promise<Answer[]> {
  const program = spawn(oraclePath(oracle), mode, { stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = once(program, 'close')
  let complaint = ''
  program.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text))
  // A program that fails stops reading; what it says is the better error.
  program.stdin.on('error', () => {})
  Readable.from(lines(questions)).pipe(program.stdin)
  const answers: Answer[] = []
  for await (const line of createInterface({ input: program.stdout })) answers.push(readAnswer(line))
  const [status] = await ended
  if (status !== 0 || answers.length !== questions.length) {
    throw new Error(`${oracle} ended with ${String(status)} after ${answers.length} answers: ${complaint}`)
  }
  return answers
}

function* lines(questions: readonly Question[]): Iterable<string> {
  for (const question of questions) yield `${JSON.stringify(question)}\n`
}

function readAnswer(line: string): Answer {
  const answer: unknown = JSON.parse(line)
  if (!isAnswer(answer)) throw new Error(`no answer: ${line}`)
  return answer
}

function isAnswer(answer: unknown): answer is Answer {
  return typeof answer === 'object' && answer !== null && 'tag' in answer !== 'error' in answer
}
